"""Guests that are saved and go on from there."""

import pytest

from bench.errors import BenchFault
from bench.target import Box
from bench.targets.drivers import Drivers
from bench.targets.machine import SavingLauncher, VirtualMachine
from vmdriver.errors import MachineFault

pytestmark = pytest.mark.vm


def test_a_guest_goes_on_from_where_it_was_saved_twice(hypervisor, direct, talk, tmp_path):
    file = tmp_path / "memory"
    with hypervisor.start(direct("vm").named("test-saved")) as guest:
        talking = talk(guest)
        talking.until(b"\x1etare listening")
        talking.exec("w", "echo kept > /mine")
        snapshot = guest.save(file)
        assert guest.leftovers() == []
    assert (snapshot.spec.name, snapshot.file) == ("test-saved", file)
    for _ in range(2):
        with hypervisor.restore(snapshot) as restored:
            talking = talk(restored)
            talking.exec("f", "true")  # what is read back starts behind an earlier reply
            assert talking.exec("r", "cat /mine").strip() == b"kept"
            assert b"Linux version" not in talking.heard["console"]  # it did not boot
            talking.exec("o", "echo other > /mine")  # the snapshot stays as it is
            with pytest.raises(MachineFault, match="there is a guest named test-saved"):
                hypervisor.restore(snapshot)
        assert restored.leftovers() == []


def test_a_guest_with_disks_is_not_saved_and_runs_on(hypervisor, direct, talk, tmp_path):
    with hypervisor.start(direct("vm", "disk").named("test-unsaved")) as guest:
        talking = talk(guest)
        talking.until(b"\x1etare listening")
        with pytest.raises(MachineFault, match="has disks"):
            guest.save(tmp_path / "memory")
        assert talking.exec("r", "echo up").strip() == b"up"


def test_a_snapshot_that_is_none_is_a_fault_and_leaves_nothing(hypervisor, direct, talk, tmp_path):
    with hypervisor.start(direct("vm").named("test-spoilt")) as guest:
        talk(guest).until(b"\x1etare listening")
        snapshot = guest.save(tmp_path / "memory")
    snapshot.file.write_bytes(b"no memory of anybody")
    with pytest.raises(MachineFault, match="restoring guest test-spoilt"):
        hypervisor.restore(snapshot)
    assert not hypervisor.connection.exists("test-spoilt")


def test_only_guests_that_are_nothing_but_memory_can_be_saved_and_cpus_are_whole(data_root):
    with Drivers(data_root, data_root / "run", None, print) as drivers:
        machine = VirtualMachine(drivers, "vm")
        with machine.launcher(Box("agent", 128 << 20)) as launcher:
            assert isinstance(launcher, SavingLauncher)
        with machine.launcher(Box("agent", 128 << 20, root="linked")) as launcher:
            assert not isinstance(launcher, SavingLauncher)
        with (
            pytest.raises(BenchFault, match=r"can't have 0\.5 CPUs"),
            machine.launcher(Box("agent", 128 << 20, 0.5)),
        ):
            pass
