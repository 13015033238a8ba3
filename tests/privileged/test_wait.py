"""A wait is asked for before the end and answered at it: by whoever waits, again, or by nobody any more."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import threading
from pathlib import Path

import pytest

from runtime.container import NativeSpec
from runtime.container.prune import prune
from runtime.errors import RuntimeFault
from tests import descriptors
from tests.privileged.test_starter import same, starter

pytestmark = pytest.mark.privileged
LIBC, PTRACE_SEIZE = ctypes.CDLL(None, use_errno=True), 0x4206


def pidfds(pid: int) -> list[int]:
    """Whom a process waits for, but for its starter."""
    infos = [fd.read_text().splitlines() for fd in Path(f"/proc/{pid}/fdinfo").iterdir()]
    pids = [int(line.split()[1]) for lines in infos for line in lines if line.startswith("Pid:")]
    return [one for one in pids if not same(Path(f"/proc/{pid}/cmdline"), Path(f"/proc/{one}/cmdline"))]


def waiting(started, found):
    thread = threading.Thread(target=lambda: found.append(started.wait(20).code))
    thread.start()
    return thread


def test_everyone_who_waits_hears_how_it_ended(box):
    read, write = os.pipe()
    found = []
    started = box.start("sh", "-c", "read line; exit 7", stdio=read)
    threads = [waiting(started, found) for _ in range(5)]
    assert box.sh("echo others are served") == "others are served"
    os.write(write, b"\n")
    for thread in threads:
        thread.join(20)
    assert found == [7] * 5
    started.remove()
    assert started.leftovers() == []
    os.close(read)
    os.close(write)


def test_waits_that_end_in_any_order_are_told_apart(box):
    pipes = [os.pipe() for _ in range(4)]
    boxes = [box.start("sh", "-c", f"read line; exit {n}", stdio=pipes[n][0]) for n in range(4)]
    for started in boxes:
        with pytest.raises(TimeoutError):
            started.wait(0)
    for number in (2, 0, 3, 1):
        os.write(pipes[number][1], b"\n")
        assert boxes[number].wait(20).code == number
    for started in boxes:
        started.remove()
    for fd in (fd for pair in pipes for fd in pair):
        os.close(fd)


def test_one_that_ended_long_ago_is_waited_for(spawner):
    null = os.open("/dev/null", os.O_RDWR)
    spec = NativeSpec("n", ("/bin/sh", "-c", "exit 3"))
    with spawner.start_native(spec, stdin=null, stdout=null, stderr=null) as started:
        while Path(f"/proc/{started.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            pass
        assert started.wait(20).code == 3
    os.close(null)


def test_a_wait_that_nobody_comes_back_for_leaves_nothing(box):
    box.start("true").remove()
    before, spawners = descriptors.of(), len(descriptors.of(box.spawner.pid))
    for _ in range(30):
        with box.start("sleep", "100") as started, pytest.raises(TimeoutError):
            started.wait(0)
    assert box.sh("echo again") == "again"
    assert not descriptors.since(before)
    assert len(descriptors.of(box.spawner.pid)) == spawners


def test_a_starter_that_comes_later_holds_nobodys_process(box):
    with box.start("sleep", "100") as started:
        with pytest.raises(TimeoutError):
            started.wait(0)
        box.sh("true")  # by now the spawner waits
        assert pidfds(box.spawner.pid) == [started.pid]
        os.kill(starter(box.spawner), signal.SIGKILL)
        assert box.sh("echo again") == "again"
        assert pidfds(starter(box.spawner)) == []
        started.kill()
        assert started.wait(20).signal == signal.SIGKILL
    assert pidfds(box.spawner.pid) == []


def test_a_wait_that_was_given_up_can_be_taken_up_again(box):
    with box.start("sleep", "100") as started:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                started.wait(0.01)
        started.kill()
        assert started.wait(20).signal == signal.SIGKILL
        assert started.wait(0).signal == signal.SIGKILL


def tracing(pid, until):
    """A process that traces `pid`, and hears of nothing, until `until` is closed at the other end."""
    read, write = os.pipe()
    tracer = os.fork()
    if tracer == 0:
        os.close(until[1])
        os.write(write, bytes([LIBC.ptrace(PTRACE_SEIZE, pid, None, None) == 0]))
        os.read(until[0], 1)
        os._exit(0)
    assert os.read(read, 1) == b"\1"
    os.close(read)
    os.close(write)
    return tracer


def test_what_ends_under_a_tracer_is_told_of_after_the_tracer(box):
    until, found = os.pipe(), []
    with box.start("sleep", "100") as started:
        tracer = tracing(started.pid, until)
        thread = waiting(started, found)
        started.kill()
        select.select([started.pidfd], [], [], 20)
        other = os.pidfd_open(tracer)
        os.close(until[1])
        select.select([other], [], [], 20)
        os.waitpid(tracer, 0)
        thread.join(20)
        assert started.wait(20).signal == signal.SIGKILL
    assert pidfds(box.spawner.pid) == []
    os.close(other)
    os.close(until[0])


def test_a_wait_for_what_has_been_removed_says_so(box):
    started = box.start("true")
    started.remove()
    with pytest.raises(RuntimeFault, match="has been removed"):
        started.wait(5)


def test_a_wait_without_a_spawner_says_so(box, place):
    other = box.start("sleep", "100")
    os.kill(box.spawner.pid, signal.SIGKILL)
    with pytest.raises(RuntimeFault, match="the spawner"):
        other.wait(20)
    prune(*place)
    assert other.leftovers() == []
