"""The copy-on-write scenario on a box whose writable layer is a directory of the test."""

import re

import pytest

from bench.scenarios import copy_on_write
from bench.scenarios.copy_on_write import SIZES, CopyOnWrite
from bench.scenarios.registry import METRICS
from tests.fakes.fake_target import INIT, LISTENING, FakeTarget
from tests.fakes.figures import figures

WRITE = re.compile(r"printf x 1<>(/data|/volume)/(\d+)")


def overlaid(upper, *, reading=0, again=0):
    """Return a box that copies up at the first write of a file; faulty ones also by reading, or again."""

    def put(name, size):
        (upper / name).write_bytes(b"x" * size)

    def act(command):
        if command.startswith("cat") and reading:
            put(f"read-{command.split()[1].rpartition('/')[2]}", reading)
        match = WRITE.match(command)
        if match and match[1] == "/data":
            if (upper / match[2]).exists() and again:
                put(f"again-{match[2]}", again)
            put(match[2], int(match[2]))

    def behave(inside):
        inside.say(INIT, LISTENING)
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
                continue
            act(words[2])
            inside.say(f"\x1etare done {words[1]} 0\n".encode())

    return behave


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(SIZES, "fast", (4096, 65536))


@pytest.mark.parametrize(("reading", "again"), [(0, 0), (8192, 0), (0, 4096)])
def test_what_each_step_copies_is_told_apart(measure, tmp_path, small, reading, again):
    upper = tmp_path / "upper"
    upper.mkdir()
    behaviour = overlaid(upper, reading=reading, again=again)
    target = FakeTarget("container", behaviour=behaviour, storage=lambda _: [upper])
    run = measure(CopyOnWrite(), target, runs=1, seed=5)
    assert {m.metric for m in run.measurements} == set(METRICS["copy-on-write"])
    for size in (4096, 65536):
        found = figures(run, "container", size=size)
        assert found["copied_by_reading"][0] == reading
        assert found["copied_by_first_write"][0] == size
        assert found["copied_by_second_write"][0] == again
    places = {m.params.get("place") for m in run.measurements if m.unit == "s"}
    assert places == {"overlay", "volume"}
    assert all(sample.value > 0 for m in run.measurements if m.unit == "s" for sample in m.samples)


def test_memory_for_the_copy_is_at_hand_when_it_is_made(measure, tmp_path, small, monkeypatch):
    done = []
    behave = overlaid(tmp_path)

    def watched(inside):
        real = inside.requests
        inside.requests = lambda: (done.append(words[-1]) or words for words in real())
        behave(inside)

    monkeypatch.setattr(copy_on_write.headroom, "provide", done.append)
    measure(CopyOnWrite(), FakeTarget("container", behaviour=watched, storage=lambda _: [tmp_path]), runs=1)
    for size in (4096, 65536):
        at = done.index(size)
        assert done[at - 1] == f"cat /data/{size} >/dev/null"
        assert done[at + 1] == f"printf x 1<>/data/{size}"


def test_the_image_has_the_largest_file_and_room_to_cache_it_twice():
    box = CopyOnWrite().asked("default")
    assert (box.workload, box.volume) == ("files-1024", True)
    assert box.memory > 2 * 1024**3


def test_a_write_that_fails_is_a_failure_and_no_time(measure, tmp_path, small):
    def refusing(inside):
        inside.say(INIT, LISTENING)
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
            else:
                inside.say(b"Read-only file system", f"\x1etare done {words[1]} 1\n".encode())

    run = measure(CopyOnWrite(), FakeTarget("container", behaviour=refusing), runs=1)
    assert not run.measurements
    assert "Read-only file system" in run.failures[0].text
