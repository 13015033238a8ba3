"""T11: three hundred lives of a container. Nothing grows: descriptors, mounts, cgroups, files, memory."""

from __future__ import annotations

import itertools

import pytest

from runtime.container import ContainerSpec, Resources, Spawner
from runtime.container.kind import key
from tests import descriptors
from tests.torture import traces
from tests.torture.oci import Oci

pytestmark = [pytest.mark.privileged, pytest.mark.torture, pytest.mark.timeout(600)]
WARM_UP = 20  # lives after which allocators and caches have what they will keep
STRETCHES = 3
FRAMES = 1024  # bytes a life, of the starter: what a child's frames refer to at its exec (`linux.vfork`)
LEAST_LEAK = 256  # bytes a life: less than the smallest thing that could be kept of one


def test_lives_in_process(tmp_path, layer, null, rounds, figure):
    lives, run, data = rounds(100, 20), tmp_path / "run", tmp_path / "data"
    with Spawner(run, data) as spawner:
        numbers = itertools.count()
        _life(spawner, layer, null, next(numbers))
        _lives(WARM_UP, spawner, layer, null, numbers)
        before, own_fds = _held(spawner.pid, run, data), descriptors.of()
        grown = [_lives(lives, spawner, layer, null, numbers) for _ in range(STRETCHES)]
        counts = [after - now for after, now in zip(_held(spawner.pid, run, data), before, strict=True)]
        opened = descriptors.since(own_fds)
    names = ("fds", "spawner_fds", "traces", "files")
    counted = dict(zip(names, (len(opened), *counts), strict=True))
    own, starters = map(min, zip(*grown, strict=True))
    figure("T11", runtime="in process", lives=lives * STRETCHES, **counted, memory=own, starter=starters)
    assert not opened
    assert counts == [0, 0, 0]
    # Pages that are touched late, or copied after a fork, grow one stretch; what is kept of each life grows
    # them all.
    assert own <= max(lives * LEAST_LEAK, 8 << 10)
    assert starters <= max(lives * FRAMES, 64 << 10)


def _lives(count, spawner, layer, null, numbers):
    """Bytes of private memory by which spawner and starter grow over so many lives."""
    pids = spawner.pid, traces.children(spawner.pid)[0]
    memory = [traces.private_memory(pid) for pid in pids]
    for number in itertools.islice(numbers, count):
        _life(spawner, layer, null, number)
    return [traces.private_memory(pid) - before for pid, before in zip(pids, memory, strict=True)]


def _life(spawner, layer, null, number):
    spec = ContainerSpec(f"s{number}", (layer,), ("true",), resources=Resources(memory=64 << 20, pids=10))
    with spawner.start(spec, stdin=null, stdout=null, stderr=null) as started:
        assert started.wait(30).code == 0


def _held(spawner, run, data):
    return len(descriptors.of(spawner)), len(traces.of(f"{key(run)}-")), len(traces.files(run, data))


def test_lives_with_the_oci_runtime(tmp_path, rounds, figure):
    oci = Oci(tmp_path)
    lives, bundle = rounds(300, 5), oci.bundle("sleep", "1000")
    before = descriptors.of()
    for number in range(lives):
        name = f"{oci.word}s{number}"
        oci.must("create", "-b", str(bundle), name)
        assert oci.status(name) == "created"
        oci.must("start", name)
        assert oci.must("exec", name, "/bin/echo", "within") == "within\n"
        oci.must("kill", name, "KILL")
        oci.must("delete", "-f", name)
    left = {
        "fds": len(descriptors.since(before)),
        "traces": len(traces.of(oci.word)),
        "records": len(oci.records()),
    }
    figure("T11", runtime=oci.program, lives=lives, **left)
    assert left == dict.fromkeys(left, 0)
