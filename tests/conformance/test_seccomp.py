"""linux.seccomp: filters that work, and those that are refused (config-linux.md, Seccomp)."""

import json
import os
import platform
import socket

import pytest

from tests.conformance.must import must
from tests.conformance.test_config import put

ARCHITECTURES = {"x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "aarch64": ["SCMP_ARCH_AARCH64"]}
MAKE = "mkdir /made 2>&1 && echo made"


def seccomp(*rules, default="SCMP_ACT_ALLOW", **others):
    value = {
        "defaultAction": default,
        "architectures": ARCHITECTURES[platform.machine()],
        "syscalls": list(rules),
        **others,
    }
    return put("linux", "seccomp", value=value)


def rule(action, *args, names=("mkdir", "mkdirat"), **others):
    return {"names": list(names), "action": action, **({"args": list(args)} if args else {}), **others}


def attempt(oci, script, change):
    box = oci.box(script)
    change(box.config)
    result = box.run()
    return result.code, result.out + result.err


@must("config-linux.md#seccomp", "action SCMP_ACT_ERRNO: errnoRet by default EPERM")
def test_errno(oci):
    assert "Operation not permitted" in attempt(oci, MAKE, seccomp(rule("SCMP_ACT_ERRNO")))[1]


@must("config-linux.md#seccomp", "errnoRet: the errno return code to use")
def test_errno_return(oci):
    assert "No space left" in attempt(oci, MAKE, seccomp(rule("SCMP_ACT_ERRNO", errnoRet=28)))[1]


@must("config-linux.md#seccomp", "SCMP_ACT_ALLOW; what no rule names has the defaultAction")
def test_allow(oci):
    assert attempt(oci, MAKE, seccomp(rule("SCMP_ACT_ERRNO", names=["chmod"]))) == (0, "made\n")


@must("config-linux.md#seccomp", "SCMP_ACT_KILL, _KILL_PROCESS, _KILL_THREAD, _TRAP: the caller is ended")
@pytest.mark.parametrize("action", ["KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP"])
def test_kill(oci, action):
    code, text = attempt(oci, f"({MAKE}); echo code $?", seccomp(rule(f"SCMP_ACT_{action}")))
    assert code == 0
    assert "made" not in text
    assert "code 159" in text


@must("config-linux.md#seccomp", "SCMP_ACT_LOG: allowed, and logged")
def test_log(oci):
    assert attempt(oci, MAKE, seccomp(rule("SCMP_ACT_LOG"))) == (0, "made\n")


@must("config-linux.md#seccomp", "SCMP_ACT_TRACE without a tracer: ENOSYS")
def test_trace(oci):
    assert "not implemented" in attempt(oci, MAKE, seccomp(rule("SCMP_ACT_TRACE")))[1]


def compared(match):
    """A filter on the mode of chmod."""
    return seccomp(
        rule("SCMP_ACT_ERRNO", {"index": 1, **match}, names=["chmod"]),
        rule("SCMP_ACT_ERRNO", {"index": 2, **match}, names=["fchmodat"]),
    )


# Operator, value, a mode that it matches, one that it does not.
OPERATORS = [
    ("EQ", 0o700, 0o700, 0o755),
    ("NE", 0o700, 0o755, 0o700),
    ("LT", 0o755, 0o700, 0o755),
    ("LE", 0o700, 0o700, 0o755),
    ("GE", 0o755, 0o755, 0o700),
    ("GT", 0o700, 0o755, 0o700),
]


@must("config-linux.md#seccomp", "args: index, value, op are compared with the system call's arguments")
@pytest.mark.parametrize(("op", "value", "blocked", "free"), OPERATORS)
def test_operators(oci, op, value, blocked, free):
    change = compared({"value": value, "op": f"SCMP_CMP_{op}"})
    script = f"touch /a /b; chmod {blocked:o} /a 2>/dev/null || echo blocked; chmod {free:o} /b && echo free"
    assert attempt(oci, script, change) == (0, "blocked\nfree\n")


@must("config-linux.md#seccomp", "SCMP_CMP_MASKED_EQ: value is the mask, valueTwo the value")
def test_masked(oci):
    change = compared({"value": 0o070, "valueTwo": 0o050, "op": "SCMP_CMP_MASKED_EQ"})
    script = "touch /a /b; chmod 755 /a 2>/dev/null || echo blocked; chmod 700 /b && echo free"
    assert attempt(oci, script, change) == (0, "blocked\nfree\n")


# All that a static shell, its mkdir and a runtime after its filter need.
NEEDED = """
    access arch_prctl brk capget capset chdir chmod clock_gettime clock_nanosleep clone clone3 close
    close_range dup dup2 dup3 epoll_create1 epoll_ctl epoll_pwait execve execveat exit exit_group
    faccessat faccessat2 fchdir fchown fcntl fork fstat fstatfs futex getcwd getdents64 getegid
    geteuid getgid getpgrp getpid getppid getrandom getrlimit getsid gettid gettimeofday getuid
    inotify_init1 ioctl keyctl lchown lseek lstat madvise membarrier mmap mprotect mremap munmap
    nanosleep newfstatat open openat pause pidfd_open pidfd_send_signal pipe pipe2 poll ppoll prctl
    pread64 prlimit64 read readlink readlinkat recvmsg restart_syscall rseq rt_sigaction
    rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_getaffinity sched_getparam
    sched_yield select sendmsg sendto set_robust_list set_tid_address setgid setgroups setitimer
    setpgid setresgid setresuid setrlimit setsid setuid sigaltstack stat statfs statx sync sysinfo
    tgkill time umask uname unlink vfork wait4 waitid write writev
"""


@must("config-linux.md#seccomp", "defaultAction SCMP_ACT_ERRNO with defaultErrnoRet: all but what is allowed")
def test_default_errno(oci):
    names = NEEDED.split()
    change = seccomp(rule("SCMP_ACT_ALLOW", names=names), default="SCMP_ACT_ERRNO", defaultErrnoRet=28)
    code, text = attempt(oci, f"{MAKE}; echo end", change)
    assert code == 0, text
    assert "No space left" in text
    assert text.endswith("end\n")


@must(
    "config-linux.md#seccomp", "flags: SECCOMP_FILTER_FLAG_LOG, _SPEC_ALLOW are taken (their use is not seen)"
)
@pytest.mark.parametrize("flag", ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"])
def test_flags(oci, flag):
    change = seccomp(rule("SCMP_ACT_ERRNO"), flags=[flag])
    assert "Operation not permitted" in attempt(oci, MAKE, change)[1]


@must("config-linux.md#seccomp", "a filter is there for the program, also without noNewPrivileges")
@pytest.mark.parametrize("value", [False, True])
def test_the_mode_of_the_process(oci, value):
    box = oci.box("grep Seccomp: /proc/self/status")
    seccomp(rule("SCMP_ACT_ERRNO"))(box.config)
    box.process["noNewPrivileges"] = value
    assert box.output().split() == ["Seccomp:", "2"]


@must("config-linux.md#seccomp", "values that are not of the lists are invalid: an error")
@pytest.mark.parametrize(
    "change",
    [
        seccomp(rule("SCMP_ACT_NOSUCH")),
        seccomp(default="SCMP_ACT_NOSUCH"),
        seccomp(rule("SCMP_ACT_ERRNO", {"index": 0, "value": 1, "op": "SCMP_CMP_NOSUCH"})),
        seccomp(architectures=["SCMP_ARCH_NOSUCH"]),
        seccomp(flags=["SECCOMP_FILTER_FLAG_NOSUCH"]),
    ],
    ids=["action", "default", "operator", "architecture", "flag"],
)
def test_unknown_values(oci, change):
    oci.refused(change)


@must(
    "config-linux.md#seccomp",
    "errnoRet: when the action doesn't support an errno, MUST print an error and fail",
)
def test_an_errno_for_allow(oci):
    oci.refused(seccomp(rule("SCMP_ACT_KILL", errnoRet=5), default="SCMP_ACT_ALLOW"))


@must("config-linux.md#seccomp", "names MUST contain at least one entry")
def test_a_rule_without_names(oci):
    oci.refused(seccomp(rule("SCMP_ACT_ERRNO", names=[])))


@must("config-linux.md#seccomp", "listenerMetadata MUST NOT be set if listenerPath is not set")
def test_metadata_without_listener(oci):
    oci.refused(seccomp(listenerMetadata="words"))


@must(
    "config-linux.md#seccomp", "if sending to the listener's socket fails, the runtime MUST generate an error"
)
def test_a_listener_that_is_not_there(oci):
    oci.refused(seccomp(rule("SCMP_ACT_NOTIFY"), listenerPath="/no/such/socket"))


@must("config-linux.md#seccomp", "if SCMP_ACT_NOTIFY is not used, listenerPath is ignored")
def test_a_listener_that_is_not_used(oci):
    change = seccomp(rule("SCMP_ACT_ERRNO"), listenerPath="/no/such/socket")
    assert "Operation not permitted" in attempt(oci, MAKE, change)[1]


@must(
    "config-linux.md#the-container-process-state",
    "MUST send the state as JSON and seccompFd by SCM_RIGHTS, once",
)
def test_the_listener_gets_the_state(oci):
    path = oci.scratch / "listener"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen(1)
        server.settimeout(5)
        box = oci.box(f"{MAKE}; echo end")
        seccomp(rule("SCMP_ACT_NOTIFY"), listenerPath=str(path), listenerMetadata="my words")(box.config)
        box.create().must_work()
        text, fds = _receive(server)
        try:
            assert [os.readlink(f"/proc/self/fd/{fd}") for fd in fds] == ["anon_inode:seccomp notify"]  # noqa: PTH115
        finally:
            for fd in fds:
                os.close(fd)  # nobody listens any more, so the call fails with ENOSYS
        box.start().must_work()
        assert "not implemented" in box.wait_for("end")
    state = json.loads(text)
    assert state["fds"] == ["seccompFd"]
    assert state["metadata"] == "my words"
    assert state["pid"] == state["state"]["pid"] > 0
    assert (state["state"]["id"], state["state"]["bundle"]) == (box.id, str(box.bundle.path))
    assert state["state"]["status"] == "creating"


def _receive(server):
    """All that comes over one connection, which the runtime has to close."""
    connection, _ = server.accept()
    with connection:
        connection.settimeout(5)
        data, fds, _, _ = socket.recv_fds(connection, 65536, 8)
        while more := connection.recv(65536):
            data += more
    return data, fds
