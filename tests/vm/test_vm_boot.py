import time
from dataclasses import replace

import pytest

from vmdriver import boot
from vmdriver.errors import MachineFault
from vmdriver.process import identify

pytestmark = pytest.mark.vm


@pytest.mark.parametrize(
    ("flavour", "root"),
    [("vm", "initramfs"), ("vm", "disk"), ("vm-micro", "initramfs"), ("vm-micro", "disk")],
)
def test_a_direct_boot_answers_and_goes(hypervisor, direct, talk, flavour, root):
    with hypervisor.start(direct(flavour, root).named(f"test-{flavour}-{root}")) as guest:
        talking = talk(guest)
        talking.until(b"\x1etare listening")
        guest.agent.sendall(b"ping 7\n")
        talking.until(b"\x1etare pong 7")
        assert b"Linux version" in talking.heard["console" if guest.console else "agent"]
        agent = talking.heard["agent"]
        assert agent.index(b"tare init") < agent.index(b"tare listening")
        assert identify(guest.pid)
        mounts = talking.exec("m", "cat /proc/mounts")
        assert (b"/dev/vda / ext4 rw" in mounts) == (root == "disk")
        assert talking.exec("h", "stat -c %h /hard").strip() == b"2"
        guest.destroy()
        assert guest.leftovers() == []
        guest.destroy()


def test_a_guest_ends_itself_when_its_agent_does(hypervisor, direct, talk):
    with hypervisor.start(direct("vm-micro").named("test-quit")) as guest:
        talk(guest).until(b"\x1etare listening")
        guest.agent.sendall(b"quit\n")
        assert guest.wait(20)
    assert guest.leftovers() == []


def test_two_guests_at_once_write_to_disks_of_their_own(hypervisor, direct, talk):
    spec = direct("vm", "disk")
    with hypervisor.start(spec.named("test-a")) as first, hypervisor.start(spec.named("test-b")) as second:
        for guest, word in ((first, "one"), (second, "two")):
            talking = talk(guest)
            talking.until(b"\x1etare listening")
            talking.exec("w", f"echo {word} > /mine; sync")
            assert talking.exec("r", "cat /mine").strip() == word.encode()
        with pytest.raises(MachineFault, match="there is a guest named test-a"):
            hypervisor.start(spec.named("test-a"))
        assert identify(first.pid)


def test_a_full_copy_of_the_disk_stands_alone(hypervisor, direct, talk):
    spec = direct("vm", "disk", private="full", cache="none")
    with hypervisor.start(spec.named("test-full-copy")) as guest:
        talk(guest).until(b"\x1etare listening")
        assert (guest.directory / "disk-0.qcow2").stat().st_size > 1 << 20


@pytest.mark.slow
def test_a_whole_debian_boots_through_firmware(hypervisor, data_root, debian, talk):
    spec = boot.full(*debian, data=data_root, accelerator="tcg", memory=512 << 20, cpus=1)
    with hypervisor.start(spec.named("test-debian")) as guest:
        talking = talk(guest, limit=90)
        talking.until(b"\x1etare listening")
        guest.agent.sendall(b"ping 1\n")
        talking.until(b"\x1etare pong 1")
        assert b"Linux version" in talking.heard["console"]
        assert b"BOOT_IMAGE=/vmlinuz" in talking.exec("c", "cat /proc/cmdline")
        assert talking.exec("i", "cat /proc/1/comm").strip() == b"systemd"
        assert b"/dev/vda1 / ext4 rw" in talking.exec("m", "cat /proc/mounts")
    assert guest.leftovers() == []


def test_a_start_that_fails_says_why_and_leaves_nothing(hypervisor, direct, data_root):
    spec = replace(direct("vm"), name="test-none", kernel=data_root / "no-such-kernel")
    start = time.monotonic()
    with pytest.raises(MachineFault, match=r"starting guest test-none: .*no-such-kernel"):
        hypervisor.start(spec)
    assert time.monotonic() - start < 10
    assert not (data_root / "run/guests/test-none").exists()
    assert not hypervisor.connection.exists("test-none")
