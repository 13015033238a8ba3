"""kill -9 before every step of attach and detach: a prune then leaves nothing. And twenty at once.

In the ordinary tests before every third or fourth step, with TARE_TORTURE=full (`nox -s torture`) before all.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from runtime import network
from runtime.linux import processes, syscalls
from tests.fakes.network_lab import Box, Host, in_lab, neighbour, talk, traces

pytestmark = [pytest.mark.privileged, pytest.mark.slow]
FULL = os.environ.get("TARE_TORTURE") == "full"

# Whatever acts on the world: these C functions, and our own (for those called through ctypes).
ACTS = {"send", "rename", "unlink", "mkdir", "open", "write", "fork_exec", "bind", "listen", "flock", "close"}


class KillAt:
    """Profile hook that ends this very process by SIGKILL before step `number`."""

    def __init__(self, number):
        self.left = number

    def __call__(self, frame, event, argument):
        ours = event == "call" and "/runtime/" in frame.f_code.co_filename
        if ours or (event == "c_call" and argument.__name__ in ACTS):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def killed_at(number, action):
    """Run `action` in a fork; whether it was killed at step `number`, else it had fewer and worked."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            sys.setprofile(KillAt(number))
            action()
            sys.setprofile(None)
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in {0, -signal.SIGKILL}
    return status != 0


def mine():
    return os.getpid(), processes.start_time(os.getpid())


def steps(start, stride):
    """Step numbers from `start` on, until a break."""
    number = start
    while True:
        yield number
        number += stride


@pytest.mark.parametrize("phase", [1, 2, 3, 4] if FULL else [1])
def test_an_attach_killed_at_any_step_leaves_nothing_to_a_prune(tmp_path, phase):
    in_lab(_killed_attach, tmp_path, phase, 4)


def _killed_attach(run, phase, stride):
    with neighbour("up0", "192.0.2.9/24", "192.0.2.1/24"), Box() as box:
        before, kills = traces(run), 0
        for number in steps(phase, stride):
            killed = killed_at(
                number,
                lambda: network.attach(
                    run, "web", box.netns, owner=mine(), published=network.parse("8080:80")
                ),
            )
            network.prune(run)
            assert traces(run) == before, f"killed at step {number}"
            assert box.links() == ["lo"], f"killed at step {number}"
            if not killed:
                break
            kills += 1
        assert kills > 30
        with network.attach(run, "web", box.netns, owner=box.owner, published=network.parse("8080:80")):
            talk(Host(), "127.0.0.1", 8080, box.listen(80))


@pytest.mark.parametrize("phase", [1, 2, 3] if FULL else [2])
def test_a_detach_killed_at_any_step_can_be_done_again_and_others_stay(tmp_path, phase):
    in_lab(_killed_detach, tmp_path, phase, 3)


def _killed_detach(run, phase, stride):
    ports = network.parse("8080:80")
    with Box() as box, Box() as other, network.attach(run, "stays", other.netns, owner=other.owner):
        before, kills = traces(run), 0
        for number in steps(phase, stride):
            network.attach(run, "web", box.netns, owner=box.owner, published=ports)
            killed = killed_at(number, lambda: network.detach(run, "web"))
            network.detach(run, "web")
            assert traces(run) == before, f"killed at step {number}"
            assert box.links() == ["lo"]
            if not killed:
                break
            kills += 1
        assert kills > 10
        assert other.links() == ["eth0", "lo"]


@pytest.mark.parametrize("phase", [1, 2, 3] if FULL else [2])
def test_the_last_detach_killed_at_any_step_leaves_nothing_to_a_prune(tmp_path, phase):
    in_lab(_killed_last, tmp_path, phase, 3)


def _killed_last(run, phase, stride):
    with neighbour("up0", "192.0.2.9/24", "192.0.2.1/24"), Box() as box:
        before, kills = traces(run), 0
        for number in steps(phase, stride):
            network.attach(run, "web", box.netns, owner=mine(), published=network.parse("8080:80"))
            killed = killed_at(number, lambda: network.detach(run, "web"))
            network.detach(run, "web")
            network.prune(run)
            assert traces(run) == before, f"killed at step {number}"
            if not killed:
                break
            kills += 1
        assert kills > 10


def test_a_prune_waits_for_the_nft_of_a_killed_attach(tmp_path):
    in_lab(_slow_nft, tmp_path)


def _slow_nft(run):
    before = traces(run)
    nft, real, started = Path("/usr/sbin/nft"), run / "nft", run / "started"
    shutil.copy(nft, real)
    slow = run / "slow"
    slow.write_text(
        f"#!/bin/sh\ntext=$(cat)\n"
        f"case $text in *elements*) : >{started}; sleep 1 ;; esac\n"
        f'printf "%s\\n" "$text" | {real} "$@"\n'
    )
    slow.chmod(0o755)
    syscalls.mount(str(slow), str(nft), "", 0x1000)  # MS_BIND
    with Box() as box:
        pid = _forked(
            lambda: network.attach(run, "web", box.netns, owner=mine(), published=network.parse("8080:80"))
        )
        deadline = time.monotonic() + 10
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert network.prune(run) == ["web"]
        time.sleep(1.2)  # by now an nft that nobody waited for has written its rules
    syscalls.umount(str(nft))
    for path in (real, slow, started):
        path.unlink()
    assert traces(run) == before


def test_twenty_attaches_at_once_get_twenty_addresses(tmp_path):
    in_lab(_twenty, tmp_path)


def _twenty(run):
    before = traces(run)
    boxes = [Box() for _ in range(20)]
    workers = [_forked(lambda n=n, box=box: _attach_one(run, n, box)) for n, box in enumerate(boxes)]
    assert [os.waitpid(pid, 0)[1] for pid in workers] == [0] * 20
    found = network.attachments(run)
    assert len({one.address for one in found}) == 20
    assert {one.container for one in found} == {f"c{n}" for n in range(20)}
    for number in (0, 19):
        talk(Host(), "127.0.0.1", 9000 + number, boxes[number].listen(80))
    workers = [_forked(lambda n=n: network.detach(run, f"c{n}")) for n in range(20)]
    assert [os.waitpid(pid, 0)[1] for pid in workers] == [0] * 20
    assert traces(run) == before


def _attach_one(run, number, box):
    ports = [network.Port(9000 + number, 80)]
    network.attach(run, f"c{number}", box.netns, owner=box.owner, published=ports)


def _forked(action):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return pid
