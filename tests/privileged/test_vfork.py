"""A child in its maker's memory: its writes are seen, an exec or a report ends it, a kill ends the maker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cgroups import tree

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).resolve().parents[2]

# A program of its own, since the thread that spawns may take its process along.
MAKER = """
import _thread, os, signal, sys, time
from runtime.linux import syscalls, vfork
kind, group = sys.argv[1:]
seen = []
def child():
    seen.append(os.getppid())
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "exec":
        os.execv("/bin/sh", ["sh", "-c", "cat /proc/self/cgroup; exit 7"])
    os._exit(9)
def make():
    stack = vfork.Stack()
    cgroup = os.open(group, os.O_PATH) if group else None
    how = vfork._copying if kind == "copy" else None
    if how:
        pid, pidfd = how(0, child, cgroup)
    else:
        pid, pidfd = vfork.spawn(stack, 0, child, lambda: bool(seen) and kind != "kill", cgroup=cgroup)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen == [os.getpid()], pidfd > 2, flush=True)
    done.release()
done = _thread.allocate_lock()
done.acquire()
_thread.start_new_thread(make, ())
done.acquire()
"""


@pytest.fixture
def cgroup():
    base = Path("/sys/fs/cgroup/unified")
    made = (base if base.exists() else base.parent) / f"vfork-{os.getpid()}"
    made.mkdir()
    yield str(made)
    tree.remove([str(made)])


@pytest.fixture(params=["anywhere", "born-in"])
def group(request):
    return "" if request.param == "anywhere" else request.getfixturevalue("cgroup")


def ask(kind: str, group: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", MAKER, kind, group]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)


def test_an_exec_lets_the_maker_go_on(group):
    done = ask("exec", group)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "7 True True"
    assert not group or f"0::/{Path(group).name}" in done.stdout


def test_a_child_that_gives_up_has_left_its_report_in_the_makers_memory(group):
    done = ask("report", group)
    assert (done.returncode, done.stdout) == (0, "9 True True\n"), done.stderr


def test_a_child_that_is_killed_takes_the_maker_along(group):
    done = ask("kill", group)
    assert (done.returncode, done.stdout) == (70, ""), done.stderr


def test_a_copy_of_the_memory_is_the_childs_own(cgroup):
    done = ask("copy", cgroup)
    assert (done.returncode, done.stdout) == (0, "9 False True\n"), done.stderr
