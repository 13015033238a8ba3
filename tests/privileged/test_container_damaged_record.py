"""Real containers whose record was damaged: the orphan's things go, and the living one stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cgroups.hierarchy import detect
from runtime.container import ContainerSpec, NativeSpec, Resources, Spawner
from runtime.container.kind import key
from runtime.container.prune import prune
from runtime.linux import processes

pytestmark = pytest.mark.privileged


def cgroups(run, name):
    mounts = {tree.mount for tree in detect().trees.values()}
    return [path for mount in mounts for path in mount.glob(f"tare/{key(run)}-{name}")]


@pytest.fixture
def null():
    with Path(os.devnull).open("r+b") as file:
        yield file.fileno()


def start(spawner, layer, name, null):
    spec = ContainerSpec(name, (layer,), ("sleep", "100"))
    return spawner.start(spec, stdin=null, stdout=null, stderr=null)


@pytest.mark.parametrize("content", ["", '{"id": "bad", "own', "[]"])
def test_the_orphan_goes_with_all_it_held_and_so_do_the_others(place, layer, null, content):
    run, data = place
    lost = Spawner(run, data)
    bad, dead = start(lost, layer, "bad", null), start(lost, layer, "dead", null)
    with Spawner(run, data) as spawner:
        kept = start(spawner, layer, "kept", null)
        os.kill(lost.pid, signal.SIGKILL)
        lost.close()
        for name in ("bad", "kept"):
            (run / "containers" / name / "state.json").write_text(content)
        assert cgroups(run, "bad")
        said = []
        assert prune(run, data, said.append) == ["bad", "dead"]
        assert bad.leftovers() == dead.leftovers() == []
        assert [path.name for path in (data / "containers").iterdir()] == ["kept"]
        assert kept.cgroup.stats().pids == 1
        (line,) = said
        assert f"container kept stays: its record {run}/containers/kept/state.json is damaged" in line
        assert f"process {spawner.pid} still has it" in line
        kept.remove()
        assert kept.leftovers() == []
    assert cgroups(run, "*") == []


def test_an_owner_whose_ended_instance_was_dropped_can_still_remove_it(place, layer, null):
    run, data = place
    with Spawner(run, data) as spawner:
        started = start(spawner, layer, "bad", null)
        started.kill(signal.SIGKILL)
        started.wait(5)
        (run / "containers/bad/state.json").write_text("")
        said = []
        assert prune(run, data, said.append) == ["bad"]
        started.remove()
        assert started.leftovers() == []
    assert said == []


def test_what_another_process_put_into_the_cgroup_stays_while_that_lives(place, null):
    """A guest's memory cgroup: its first process has ended, and QEMU is a child of the harness."""
    run, data = place
    with Spawner(run, data) as spawner:
        spec = NativeSpec("ledger", ("/bin/true",), root=Path("/"), resources=Resources())
        with spawner.start_native(spec, stdin=null, stdout=null, stderr=null) as holder:
            holder.wait(5)
            with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as machine:
                (holder.cgroup.path("memory") / "cgroup.procs").write_text(str(machine.pid))
                (run / "containers/ledger/state.json").write_text("{")
                said = []
                assert prune(run, data, said.append) == []
                assert processes.alive(machine.pid, processes.start_time(machine.pid))
                machine.kill()
                machine.wait()
            assert f"process {os.getpid()} still has it" in said[0]
