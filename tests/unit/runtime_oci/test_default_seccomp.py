"""The default filter, loaded for real into children that then try what it is about."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.linux import seccomp, syscalls
from runtime.oci import default_seccomp

DEFAULT = ("CAP_CHOWN", "CAP_KILL", "CAP_SYS_CHROOT")
NUMBERS = {
    "x86_64": {
        "unshare": 272, "keyctl": 250, "ptrace": 101, "personality": 135, "socket": 41, "clone": 56,
        "clone3": 435, "getpid": 39, "io_uring_setup": 425, "acct": 163, "newer": 9999,
    }
}  # fmt: skip
pytestmark = pytest.mark.skipif(
    os.uname().machine not in NUMBERS, reason="numbers are known for x86_64 alone"
)


def errno_of(name, *arguments, capabilities=DEFAULT):
    """Call `name` in a child that is under the filter; returns the error's number, 0 for none."""
    compiled = seccomp.compile(default_seccomp.profile(capabilities))
    call = ctypes.CDLL(None, use_errno=True).syscall
    words = [ctypes.c_long(word) for word in (NUMBERS[os.uname().machine][name], *arguments)]
    pid = os.fork()
    if not pid:
        syscalls.prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
        seccomp.load(compiled)
        os._exit(ctypes.get_errno() if call(*words) < 0 else 0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("getpid", (), 0),
        ("unshare", (0x10000000,), errno.EPERM),
        ("keyctl", (0, 0, 0), errno.EPERM),
        ("io_uring_setup", (1, 0), errno.EPERM),
        ("acct", (0,), errno.EPERM),
        ("clone", (0x10000000 | signal.SIGCHLD, 0, 0, 0, 0), errno.EPERM),
        ("clone3", (0, 0), errno.ENOSYS),
        ("newer", (), errno.ENOSYS),
        ("personality", (0xFFFFFFFF,), 0),
        ("personality", (0x0040000,), errno.ENOSYS),  # ADDR_NO_RANDOMIZE
        ("socket", (40, 1, 0), errno.EPERM),
        ("socket", (1, 1, 0), 0),
        ("ptrace", (999, 0, 0, 0), errno.ESRCH),  # reaches the kernel
    ],
)
def test_what_a_container_may_call(name, arguments, expected):
    assert errno_of(name, *arguments) == expected


def test_a_capability_brings_its_calls():
    wrong = (0x1,)  # no flag of unshare: the kernel itself says so
    assert errno_of("unshare", *wrong) == errno.EPERM
    assert errno_of("unshare", *wrong, capabilities=("CAP_SYS_ADMIN",)) == errno.EINVAL
    assert errno_of("clone3", 0, 0, capabilities=("CAP_SYS_ADMIN",)) == errno.EINVAL


def test_programs_run_under_it():
    compiled = seccomp.compile(default_seccomp.profile(DEFAULT))

    def confine():
        syscalls.prctl(38, 1)
        seccomp.load(compiled)

    code = "import threading, subprocess; t = threading.Thread(target=print, args=('thread',)); "
    code += "t.start(); t.join(); subprocess.run(['/bin/sh', '-c', 'echo child | cat'], check=True)"
    done = subprocess.run(
        [sys.executable, "-c", code], preexec_fn=confine, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, ["thread", "child"])


def test_no_name_is_in_two_groups():
    profile = default_seccomp.profile(DEFAULT)
    allowed, refused = profile["syscalls"][0]["names"], profile["syscalls"][1]["names"]
    assert not set(allowed) & set(refused)
    assert len(set(allowed)) == len(allowed)


def test_every_call_of_the_kernels_headers_was_decided():
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.fail("linux-libc-dev is missing; gcc brings it along")
    known = set(re.findall(r"#define __NR_(\w+)", header.read_text()))
    profile = default_seccomp.profile(DEFAULT)
    decided = {name for rule in profile["syscalls"] for name in rule["names"]}
    unimplemented = {
        "afs_syscall",
        "epoll_ctl_old",
        "epoll_wait_old",
        "getpmsg",
        "putpmsg",
        "security",
        "tuxcall",
        "vserver",
    }
    assert known - decided - unimplemented == {"clone3"}
