"""T8: out of memory, a fork bomb, a process in somebody else's frozen cgroup. Siblings live, delete is quick.

runc 1.1.5's delete gives up after ten seconds on the last.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.container import ContainerSpec, Resources, Spawner
from runtime.linux import processes
from tests.torture import traces
from tests.torture.oci import Oci, settled

pytestmark = [pytest.mark.privileged, pytest.mark.torture, pytest.mark.timeout(300)]
MEMORY, PIDS = 32 << 20, 64
QUICK = 5.0  # seconds
HOG = ("sh", "-c", "x=0123456789; while :; do x=$x$x; done")
# A shell ends when it can't fork; the first process does not, and the sleepers stay.
BOMB = ("sh", "-c", "(while :; do sh -c 'sleep 1000 & sleep 1000' & done) 2>/dev/null & exec sleep 1000")
FREEZER = next(
    (Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()
     if " - cgroup " in line and line.rpartition(" ")[2].endswith("freezer")),
    None,
)  # fmt: skip


class InProcess:
    """Tare's spawner, seen as this test sees a runtime: start, end, and whether a sibling lives."""

    name = "in process"

    def __init__(self, spawner, layer, null):
        self.spawner, self.layer, self.null, self.count = spawner, layer, null, 0

    def start(self, args, **limits):
        self.count += 1
        spec = ContainerSpec(f"p{self.count}", (self.layer,), args, resources=Resources(**limits))
        return self.spawner.start(spec, stdin=self.null, stdout=self.null, stderr=self.null)


@pytest.fixture
def runtime(tmp_path, layer, null):
    with Spawner(tmp_path / "run", tmp_path / "data") as spawner:
        yield InProcess(spawner, layer, null)


@pytest.fixture(autouse=True)
def sibling(request):
    """A container beside the one that is tortured."""
    if "runtime" not in request.fixturenames:
        yield None
        return
    runtime = request.getfixturevalue("runtime")
    with runtime.start(("sleep", "1000"), memory=MEMORY, pids=PIDS) as started:
        begun = processes.start_time(started.pid)
        yield started
        assert processes.alive(started.pid, begun), "a sibling died"


@pytest.fixture
def frozen():
    """A way to move a process into a frozen cgroup that is none of Tare's."""
    if FREEZER is None:
        pytest.skip("this host has no v1 freezer, and SIGKILL ends what a v2 cgroup has frozen")
    group = FREEZER / f"foreign-{os.getpid()}"
    group.mkdir()

    def freeze(pid):
        (group / "cgroup.procs").write_text(str(pid))
        (group / "freezer.state").write_text("FROZEN")
        assert settled(lambda: (group / "freezer.state").read_text() == "FROZEN\n")

    yield freeze
    (group / "freezer.state").write_text("THAWED")
    assert settled(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def test_out_of_memory_ends_with_137_and_the_flag(runtime, rounds, figure):
    count, ended = rounds(20, 3), []
    for _ in range(count):
        with runtime.start(HOG, memory=MEMORY, pids=PIDS) as started:
            ended.append(started.wait(30))
        assert started.leftovers() == []
    right = sum(status.shell_code == 137 and status.oom for status in ended)
    figure("T8", what="out of memory", runtime=runtime.name, rounds=count, code_137_and_flag=right)
    assert right == count


def test_a_fork_bomb_stops_at_the_limit(runtime, rounds, figure):
    count, most, slowest = rounds(5, 1), 0, 0.0
    for _ in range(count):
        with runtime.start(BOMB, pids=PIDS) as started:
            assert settled(lambda: started.cgroup.stats().pids >= PIDS - 2, 10)
            most = max(most, started.cgroup.stats().pids)
            slowest = max(slowest, _seconds(started.remove))
        assert started.leftovers() == []
    figure("T8", what="fork bomb", runtime=runtime.name, rounds=count, most=most, delete_s=round(slowest, 3))
    assert most <= PIDS
    assert slowest < QUICK


@pytest.mark.parametrize("whom", ["the first process", "a child"])
def test_a_frozen_process_does_not_keep_its_container(whom, runtime, frozen, rounds, figure):
    count, slowest = rounds(5, 1), 0.0
    for _ in range(count):
        with runtime.start(("sh", "-c", "sleep 1000 & sleep 1000"), pids=PIDS) as started:
            assert settled(lambda: _children(started.pid))
            frozen(started.pid if whom == "the first process" else _children(started.pid)[0])
            slowest = max(slowest, _seconds(started.remove))
        assert started.leftovers() == []
    figure("T8", what=f"frozen: {whom}", runtime=runtime.name, rounds=count, delete_s=round(slowest, 3))
    assert slowest < QUICK


@contextmanager
def _oci(oci, *args, **limits):
    """Start a detached container; delete it at the end whatever happened, and leave nothing."""
    name = f"{oci.word}d"
    oci.must("run", "-d", "-b", str(oci.bundle(*args, **limits)), name)
    try:
        yield name
    finally:
        oci.call("delete", "-f", name)


@pytest.fixture
def oci(tmp_path):
    made = Oci(tmp_path)
    yield made
    for name in made.records():
        made.call("delete", "-f", name)


def test_oci_out_of_memory_ends_with_137(oci, rounds, figure):
    count, codes = rounds(20, 3), []
    with _oci(oci, "sleep", "1000", memory=MEMORY) as sibling:
        for number in range(count):
            bundle = oci.bundle(*HOG, memory=MEMORY)
            codes.append(oci.call("run", "-b", str(bundle), f"{oci.word}m{number}").returncode)
        assert oci.status(sibling) == "running"
    figure("T8", what="out of memory", runtime=oci.program, rounds=count, code_137=codes.count(137))
    assert codes == [137] * count
    assert traces.of(oci.word) == []


def test_oci_fork_bomb_stops_at_the_limit(oci, rounds, figure):
    count, most, slowest = rounds(5, 1), 0, 0.0
    for _ in range(count):
        with _oci(oci, *BOMB, pids=PIDS) as name:
            group = _pids_cgroup(oci.pid(name))
            assert settled(lambda: _count(group) >= PIDS - 2, 10)  # noqa: B023
            most = max(most, _count(group))
            slowest = max(slowest, _seconds(lambda: oci.must("delete", "-f", name)))
    figure("T8", what="fork bomb", runtime=oci.program, rounds=count, most=most, delete_s=round(slowest, 3))
    assert most <= PIDS
    assert slowest < QUICK
    assert traces.of(oci.word) == []


def test_oci_deletes_a_frozen_container(oci, frozen, rounds, figure):
    count, slowest = rounds(5, 1), 0.0
    for _ in range(count):
        with _oci(oci, "sh", "-c", "sleep 1000 & sleep 1000", pids=PIDS) as name:
            pid = oci.pid(name)
            assert settled(lambda: _children(pid))  # noqa: B023
            frozen(_children(pid)[0])
            slowest = max(slowest, _seconds(lambda: oci.must("delete", "-f", name)))
    figure("T8", what="frozen: a child", runtime=oci.program, rounds=count, delete_s=round(slowest, 3))
    assert slowest < QUICK
    assert traces.of(oci.word) == []


def _seconds(action):
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def _children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _pids_cgroup(pid):
    rows = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    found = next((path for _, names, path in rows if "pids" in names.split(",")), None)
    unified = next(path for number, _, path in rows if number == "0") if found is None else ""
    return Path(f"/sys/fs/cgroup/pids{found}" if found else f"/sys/fs/cgroup{unified}")


def _count(group):
    return int((group / "pids.current").read_text())
