"""Confinement as root: five sets over a change of user, filters, limits, sysctl, terminals.

Everything happens in children with namespaces of their own.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from runtime.errors import RuntimeFault
from runtime.linux import capabilities, keyring, namespaces, seccomp, syscalls
from runtime.oci import console, limits, sysctl

pytestmark = pytest.mark.privileged
USER = 4711
SYS_ADMIN, KILL, CHOWN, NET_RAW = 21, 5, 0, 13
RESOURCE = capabilities.held() >> 24 & 1


def run(prepare, *command):
    """Run a program after `prepare` has confined it: its exit status and output."""
    done = subprocess.run(
        command, preexec_fn=prepare, capture_output=True, text=True, check=False, timeout=20
    )
    return done.returncode, done.stdout.strip() + done.stderr.strip()


def confined(found, uid, *, compiled=None):
    """Give up privileges in the order that the runtime does."""
    last = capabilities.last()

    def prepare():
        capabilities.prepare(last, found)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        capabilities.regain()
        if compiled:
            seccomp.load(compiled)
        capabilities.settle(found)

    return prepare


def sets_of(status):
    lines = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
    return {name: int(value, 16) for name, value in lines.items()}


def planned(**block):
    found, warnings = capabilities.sets(block, capabilities.held())
    assert not warnings
    return found


def test_root_keeps_what_the_bounding_set_lets_through():
    both = ["CAP_KILL", "CAP_CHOWN"]
    found = planned(bounding=both, effective=["CAP_KILL"], permitted=both)
    status, text = run(confined(found, 0), "/bin/grep", "Cap", "/proc/self/status")
    assert (status, sets_of(text)) == (
        0,
        {"CapInh": 0, "CapPrm": 1 << KILL | 1, "CapEff": 1 << KILL | 1, "CapBnd": 1 << KILL | 1, "CapAmb": 0},
    )


def test_the_sets_are_exactly_these_before_the_exec(tmp_path):
    found = planned(
        bounding=["CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW"], effective=["CAP_KILL"],
        permitted=["CAP_KILL", "CAP_CHOWN"], inheritable=["CAP_CHOWN", "CAP_NET_RAW"], ambient=["CAP_CHOWN"],
    )  # fmt: skip

    def prepare():
        confined(found, USER)()
        (tmp_path / "status").write_text(Path("/proc/self/status").read_text())

    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o111)
    assert run(prepare, "/bin/true") == (0, "")
    kill, chown, raw = 1 << KILL, 1 << CHOWN, 1 << NET_RAW
    assert sets_of((tmp_path / "status").read_text()) == {
        "CapInh": chown | raw, "CapPrm": kill | chown, "CapEff": kill, "CapBnd": kill | chown | raw,
        "CapAmb": chown,
    }  # fmt: skip


def test_a_user_keeps_ambient_ones_over_the_exec():
    chown = ["CAP_CHOWN"]
    without = planned(bounding=chown, effective=chown, permitted=chown, inheritable=chown)
    grep = ("/bin/grep", "Cap", "/proc/self/status")
    assert sets_of(run(confined(without, USER), *grep)[1])["CapEff"] == 0
    found = planned(bounding=chown, effective=chown, permitted=chown, inheritable=chown, ambient=chown)
    text = run(confined(found, USER), *grep)[1]
    assert set(sets_of(text).values()) == {1}


def test_what_can_not_be_granted_is_a_warning():
    granted = capabilities.held() & ~(1 << SYS_ADMIN)
    block = {"bounding": ["CAP_SYS_ADMIN", "CAP_FLY", "kill", "CAP_KILL"], "effective": ["CAP_KILL"],
             "permitted": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]}  # fmt: skip
    found, warnings = capabilities.sets(block, granted)
    assert found == {"bounding": 1 << KILL, "effective": 0, "inheritable": 0, "permitted": 1, "ambient": 0}
    assert [text.split(": ", 1)[1].split(",")[0] for text in warnings] == [
        "CAP_SYS_ADMIN can't be granted here", "there is no capability 'CAP_FLY'",
        "there is no capability 'kill'", "CAP_KILL is dropped", "CAP_CHOWN is dropped",
    ]  # fmt: skip


def test_a_user_can_be_under_a_filter_without_no_new_privileges(tmp_path):
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77}
    compiled = seccomp.compile({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
    prepare = confined(planned(), USER, compiled=compiled)
    # A shell, since the interpreter may be out of this user's reach.
    _, text = run(prepare, "/bin/sh", "-c", f"cat /proc/self/status; LC_ALL=C mkdir {tmp_path}/x")
    assert "NoNewPrivs:\t0" in text
    assert "Seccomp:\t2" in text
    assert os.strerror(77) in text


def settled_in_own_user_namespace(plan, expected):
    """Fork a child into its own user namespace, impose `plan` from here and settle it there: its status."""
    read, write = os.pipe()
    go, let = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(let)
        try:
            syscalls.unshare(namespaces.FLAGS["user"])
            os.write(write, b"r")
            os.read(go, 1)
            limits.settle(plan)
        finally:
            os._exit(resource.getrlimit(resource.RLIMIT_MSGQUEUE) != expected)
    os.close(go)
    try:
        os.read(read, 1)
        limits.impose(pid, plan)
        os.write(let, b"g")
    finally:
        for fd in (read, write, let):
            os.close(fd)  # the child goes on, or ends
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status


def test_limits_are_set_for_a_child_in_its_own_user_namespace():
    hard = resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1]
    room = hard + 1 if RESOURCE and hard != resource.RLIM_INFINITY else hard
    plan = limits.plan({"rlimits": [{"type": "RLIMIT_MSGQUEUE", "soft": 1, "hard": room}]}, {})
    assert settled_in_own_user_namespace(plan, (1, room)) == 0


def test_a_limit_that_can_not_be_raised_is_refused_by_name():
    hard = min(resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1], 1 << 40)
    plan = limits.plan({"rlimits": [{"type": "RLIMIT_MSGQUEUE", "soft": 1, "hard": hard + 1}]}, {})
    pid = os.fork()
    if not pid:
        try:
            resource.setrlimit(resource.RLIMIT_MSGQUEUE, (1, hard))
            capabilities.bound(capabilities.last(), 0)
            os.setresuid(USER, USER, USER)
            limits.impose(os.getpid(), plan)
        except RuntimeFault as err:
            os._exit(42 if f"cannot set RLIMIT_MSGQUEUE to {hard + 1}" in str(err) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42


def test_an_oom_score_is_lowered():
    lower = -500 if RESOURCE else 0  # without the capability it goes down to where it began
    process = subprocess.Popen(["/bin/sleep", "60"])
    try:
        for value in (300, lower):
            limits.impose(process.pid, limits.plan({"oomScoreAdj": value}, {}))
            assert Path(f"/proc/{process.pid}/oom_score_adj").read_text() == f"{value}\n"
    finally:
        process.kill()
        process.wait()


def test_who_may_not_lower_an_oom_score_is_told_so():
    process = subprocess.Popen(["/bin/sleep", "60"], user=USER)
    limits.impose(process.pid, limits.plan({"oomScoreAdj": 100}, {}))
    pid = os.fork()
    if not pid:
        capabilities.bound(capabilities.last(), 0)
        os.setresuid(USER, USER, USER)
        try:
            limits.impose(process.pid, limits.plan({"oomScoreAdj": 100}, {}))  # as it is: nothing to do
            limits.impose(process.pid, limits.plan({"oomScoreAdj": -100}, {}))
        except RuntimeFault as err:
            os._exit(42 if "process.oomScoreAdj: cannot set -100" in str(err) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("kinds", "parameters"),
    [
        (("network",), {"net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0 5"}),
        (
            ("ipc",),
            {"kernel.shmmni": "77", "fs.mqueue.msg_max": "9", "kernel.sem": "32000 1024000000 500 32000"},
        ),
        (("uts",), {"kernel.domainname": "crate.example"}),
        (("user", "network", "ipc"), {"net.ipv4.ip_forward": "1", "kernel.shmmni": "77"}),
    ],
)
def test_parameters_are_the_containers_own(kinds, parameters):
    plan = sysctl.plan(parameters, set(kinds))
    before = {path: Path("/proc/sys", path).read_text() for path, _ in plan}

    def prepare():
        syscalls.unshare(namespaces.flags(*kinds))
        sysctl.write(plan)

    status, text = run(prepare, "/bin/cat", *(f"/proc/sys/{path}" for path, _ in plan))
    assert (status, text.split()) == (0, [word for _, value in plan for word in value.split()])
    assert {path: Path("/proc/sys", path).read_text() for path, _ in plan} == before


def test_a_keyring_of_its_own():
    outside = run(None, "/bin/cat", "/proc/keys")[1]
    inside = run(lambda: keyring.join("crate"), "/bin/cat", "/proc/keys")[1]
    assert "_ses.crate" in inside
    assert "_ses.crate" not in outside
    line = next(line for line in inside.splitlines() if "_ses.crate" in line)
    assert line.split()[4] == "3f1b0000"


TERMINAL = """
import os, sys, termios
from runtime.linux import syscalls
from runtime.oci import console
import socket
sock = socket.socket(fileno=int(sys.argv[1]))
syscalls.unshare(0x20000)
syscalls.mount("none", "/", "", 0x44000)
syscalls.mount("devpts", "/dev/pts", "devpts", 10, "newinstance,ptmxmode=0666,mode=0620,gid=5")
os.setsid()
master, terminal = console.make((33, 99), 4711)
console.bind(terminal)
console.send(sock, master)
console.adopt(terminal)
os.execv("/bin/sh", ["sh", "-c", "tty; stty size; stat -c %u:%g:%a $(tty); "
                     "stat -c %t:%T /dev/console; echo to-console >/dev/console; "
                     "ls -l /proc/self/fd >/dev/null; read x; echo $x </dev/tty"])
"""


def test_a_terminal_in_its_own_devpts():
    ours, theirs = socket.socketpair()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with ours, theirs:
        child = subprocess.Popen(
            [sys.executable, "-c", TERMINAL, str(theirs.fileno())], pass_fds=[theirs.fileno()], env=env
        )
        theirs.close()
        master = console.receive(ours)
    text = read_until(master, b"to-console")
    os.write(master, b"typed\n")
    text += read_until(master, b"typed\r\ntyped")
    assert child.wait(10) == 0
    lines = text.decode().split()
    assert lines[:6] == ["/dev/pts/0", "33", "99", f"{USER}:5:620", "88:0", "to-console"]
    assert termios.tcgetwinsize(master) == (33, 99)
    os.close(master)


def read_until(fd, wanted):
    text = b""
    while wanted not in text:
        text += os.read(fd, 4096)
    return text


def test_a_multiplexer_that_is_another_file_is_not_believed(tmp_path):
    code = """
import os, sys
from runtime.linux import syscalls
from runtime.oci import console
syscalls.unshare(0x20000)
syscalls.mount("none", "/", "", 0x44000)
syscalls.mount("tmpfs", "/dev/pts", "tmpfs")
if sys.argv[1] == "link":
    os.symlink("/dev/null", "/dev/pts/ptmx")
else:
    os.mknod("/dev/pts/ptmx", 0o20666, os.makedev(1, 3))
try:
    console.make(None, 0)
except OSError as err:
    sys.exit(f"refused {err.errno}")
"""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for kind in ("link", "node"):
        done = subprocess.run(
            [sys.executable, "-c", code, kind],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert done.stderr.startswith("refused"), done.stderr
