"""Profiles are compiled by the real library and bite real programs; no_new_privs makes root unnecessary."""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

from runtime.errors import RuntimeFault
from runtime.linux import libseccomp, seccomp, syscalls

ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


def profile(*rules, default=ALLOW, **more):
    return {"defaultAction": default, "syscalls": list(rules), **more}


def rule(*names, action=ERRNO, **more):
    return {"names": list(names), "action": action, **more}


def under(compiled, code):
    """Run Python `code` under a filter: its exit status and output."""

    def confine():
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.load(compiled)

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import os, ctypes\n{code}"],
        preexec_fn=confine, capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    return done.returncode, done.stdout.strip()


def attempt(call):
    return f"try:\n    {call}; print(0)\nexcept OSError as e: print(e.errno)"


def test_a_call_fails_with_the_error_number_of_its_rule(tmp_path):
    make = attempt(f"os.mkdir('{tmp_path}/x')")
    assert under(seccomp.compile(profile(rule("mkdir", "mkdirat", errnoRet=99))), make) == (0, "99")
    assert under(seccomp.compile(profile(rule("mkdir", "mkdirat"))), make) == (0, str(errno.EPERM))
    assert under(seccomp.compile(profile(rule("rmdir"))), make) == (0, "0")


def test_the_default_action_takes_what_no_rule_names(tmp_path):
    everything = [name for name in ALL_NAMES if name not in {"mkdir", "mkdirat"}]
    compiled = seccomp.compile(
        profile(rule(*everything, action=ALLOW), default=ERRNO, defaultErrnoRet=errno.EXDEV)
    )
    assert under(compiled, attempt(f"os.mkdir('{tmp_path}/x')")) == (0, str(errno.EXDEV))


@pytest.mark.parametrize(
    ("action", "ending"),
    [
        ("SCMP_ACT_KILL", -signal.SIGSYS),
        ("SCMP_ACT_KILL_THREAD", -signal.SIGSYS),
        ("SCMP_ACT_KILL_PROCESS", -signal.SIGSYS),
        ("SCMP_ACT_TRAP", -signal.SIGSYS),
        ("SCMP_ACT_LOG", 0),
        (ALLOW, 0),
    ],
)
def test_actions(action, ending):
    default = "SCMP_ACT_LOG" if action == ALLOW else ALLOW
    compiled = seccomp.compile(profile(rule("getppid", action=action), default=default))
    assert under(compiled, "os.getppid()")[0] == ending


def test_a_traced_call_without_a_tracer_does_not_exist():
    compiled = seccomp.compile(profile(rule("mkdir", "mkdirat", action="SCMP_ACT_TRACE", errnoRet=7)))
    assert under(compiled, attempt("os.mkdir('/tmp')")) == (0, str(errno.ENOSYS))


@pytest.mark.parametrize(
    ("operator", "value", "second", "denied"),
    [
        ("SCMP_CMP_NE", 5, 0, {4, 6, 7}),
        ("SCMP_CMP_LT", 5, 0, {4}),
        ("SCMP_CMP_LE", 5, 0, {4, 5}),
        ("SCMP_CMP_EQ", 5, 0, {5}),
        ("SCMP_CMP_GE", 6, 0, {6, 7}),
        ("SCMP_CMP_GT", 6, 0, {7}),
        ("SCMP_CMP_MASKED_EQ", 6, 4, {4, 5}),
    ],
)
def test_every_operator_compares_an_argument(operator, value, second, denied):
    compared = {"index": 0, "value": value, "valueTwo": second, "op": operator}
    compiled = seccomp.compile(profile(rule("getpgid", args=[compared])))
    code = "for n in (4, 5, 6, 7):\n    try: os.getpgid(n)\n    except OSError as e: print(n, e.errno)"
    status, text = under(compiled, code)
    found = {int(line.split()[0]) for line in text.splitlines() if line.split()[1] == "1"}
    assert (status, found) == (0, denied)


def test_two_comparisons_of_one_argument_are_alternatives_and_of_two_must_both_hold():
    one = [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in (2, 3)]
    both = [{"index": index, "value": 1, "op": "SCMP_CMP_EQ"} for index in (0, 1)]
    code = "libc = ctypes.CDLL(None, use_errno=True)\nfor a, b in ((1, 1), (1, 2), (2, 0), (3, 0), (4, 0)):\n"
    code += "    print(libc.getpriority(a, b), ctypes.get_errno())\n"
    compiled = seccomp.compile(
        profile(rule("getpriority", args=one, errnoRet=98), rule("getpriority", args=both, errnoRet=97))
    )
    numbers = [line.split()[1] for line in under(compiled, code)[1].splitlines()]
    assert (numbers[0], numbers[2], numbers[3]) == ("97", "98", "98")
    assert numbers[1] not in {"97", "98"}


def test_names_that_the_library_does_not_know_are_passed_over(tmp_path):
    compiled = seccomp.compile(profile(rule("no_such_call", "mkdir", "mkdirat", errnoRet=99)))
    assert under(compiled, attempt(f"os.mkdir('{tmp_path}/x')")) == (0, "99")


def test_calls_newer_than_the_library_do_not_exist_where_the_profile_allows_newer_ones():
    known = [name for name in ALL_NAMES if name != "getppid"]
    older = seccomp.compile(profile(rule(*known, action=ALLOW), default=ERRNO))
    newer = seccomp.compile(profile(rule(*known, "no_such_call", action=ALLOW), default=ERRNO))
    code = "libc = ctypes.CDLL(None, use_errno=True)\n"
    code += "for n in (1000, 110):\n    libc.syscall(n); print(ctypes.get_errno())"
    assert under(older, code) == (0, "1\n1")
    assert under(newer, code) == (0, f"{errno.ENOSYS}\n1")


def test_other_architectures_are_covered_or_deadly():
    if os.uname().machine != "x86_64":
        pytest.skip("the 32-bit entry is x86's")
    alone = seccomp.compile(profile(rule("getppid")))
    also = seccomp.compile(profile(rule("getppid"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]))
    # mov eax, 64 (getppid of x86); int 0x80; ret
    code = (
        "import mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(bytes.fromhex('b840000000cd80c3'))\n"
        "f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\nprint(f())"
    )
    assert under(alone, code)[0] == -signal.SIGSYS
    assert under(also, code) == (0, "-1")


def test_without_flags_a_filter_is_no_reason_to_speculate_less():
    assert seccomp.compile(profile(rule("getppid"))).flags == seccomp.SPEC_ALLOW
    assert seccomp.compile(profile(rule("getppid"), flags=[])).flags == 0


def test_flags_become_the_kernels():
    flags = [f"SECCOMP_FILTER_FLAG_{name}" for name in ("TSYNC", "LOG", "SPEC_ALLOW")]
    compiled = seccomp.compile(profile(rule("getppid"), flags=flags))
    assert compiled.flags == seccomp.TSYNC | seccomp.LOG | seccomp.SPEC_ALLOW
    assert under(compiled, "print(os.getppid())") == (0, "-1")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"defaultAction": "SCMP_ACT_MAYBE"}, "defaultAction does not know 'SCMP_ACT_MAYBE'"),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "defaultAction can't be"),
        ({"defaultAction": None}, "defaultAction is missing"),
        ({"defaultErrnoRet": 1}, "defaultErrnoRet does not go with SCMP_ACT_ALLOW"),
        ({"architectures": ["SCMP_ARCH_Z80"]}, "architectures does not know 'SCMP_ARCH_Z80'"),
        ({"flags": ["SECCOMP_FILTER_FLAG_FAST"]}, "flags does not know 'SECCOMP_FILTER_FLAG_FAST'"),
        ({"flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}, "flags has SECCOMP_FILTER_FLAG_WAIT"),
        ({"syscalls": [{"names": [], "action": ALLOW}]}, "syscalls[0].names"),
        ({"syscalls": [{"names": ["read"], "action": "ALLOW"}]}, "syscalls[0].action does not know 'ALLOW'"),
        ({"syscalls": [rule("read", errnoRet=5000)]}, "syscalls[0].errnoRet must be"),
        (
            {"syscalls": [rule("read", action="SCMP_ACT_KILL", errnoRet=1)]},
            "syscalls[0].errnoRet does not go",
        ),
        ({"syscalls": [rule("read", action="SCMP_ACT_NOTIFY")]}, "listenerPath is missing"),
        (
            {"syscalls": [rule("read", args=[{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}])]},
            "syscalls[0].args[0].index",
        ),
        (
            {"syscalls": [rule("read", args=[{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}])]},
            "syscalls[0].args[0].value",
        ),
        (
            {"syscalls": [rule("read", args=[{"index": 0, "value": 0, "op": "="}])]},
            "syscalls[0].args[0].op does not know",
        ),
    ],
)
def test_what_is_unknown_or_does_not_fit_is_refused_by_its_path(changes, path):
    with pytest.raises(RuntimeFault) as caught:
        seccomp.compile(profile() | changes)
    assert f"linux.seccomp.{path}" in str(caught.value)
    assert caught.value.kind == "usage"


def test_a_kept_program_is_found_by_an_equal_profile_only(tmp_path):
    cache = str(tmp_path / "cache")
    first = seccomp.compile(profile(rule("getppid", errnoRet=98)), cache=cache)
    (entry,) = (tmp_path / "cache").iterdir()
    assert seccomp.compile(profile(rule("getppid", errnoRet=98)), cache=cache).program == first.program
    # An entry of another profile in this one's place, as a collision of names would have it:
    other = seccomp.compile(profile(rule("getppid", errnoRet=99)), cache=cache)
    (second,) = set((tmp_path / "cache").iterdir()) - {entry}
    second.write_bytes(entry.read_bytes())
    again = seccomp.compile(profile(rule("getppid", errnoRet=99)), cache=cache)
    assert again.program == other.program != first.program


def test_what_others_may_have_written_is_not_believed(tmp_path):
    wanted = profile(rule("getppid", errnoRet=98))
    first = seccomp.compile(wanted, cache=str(tmp_path / "cache"))
    (entry,) = (tmp_path / "cache").iterdir()
    entry.write_bytes(entry.read_bytes()[:-8] + bytes(8))
    assert seccomp.compile(wanted, cache=str(tmp_path / "cache")).program != first.program
    entry.chmod(0o666)
    assert seccomp.compile(wanted, cache=str(tmp_path / "cache")).program == first.program


def test_the_listener_reaches_its_agent_though_the_filter_asks_about_every_way_to_send_it(tmp_path):
    path = str(tmp_path / "agent")
    asked = ("getppid", "write", "sendmsg", "sendto", "close", "ioctl", "futex")
    compiled = seccomp.compile(
        profile(rule(*asked, action="SCMP_ACT_NOTIFY"), listenerPath=path, listenerMetadata="hello")
    )
    assert compiled.notifies
    handover = seccomp.Handover()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.bind(path)
        agent.listen()
        pid = os.fork()
        if not pid:
            syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
            handover.load(compiled)
            os._exit(os.getppid() & 0xFF)
        try:
            pidfd = os.pidfd_open(pid)
            fd = handover.fetch(pidfd)
            state = seccomp.process_state({"ociVersion": "1.2.0", "id": "box"}, pid, compiled.metadata)
            seccomp.send_listener(path, fd, state)
            os.close(fd)
            handover.release()
            connection, _ = agent.accept()
            with connection:
                text, (listener,), _, _ = socket.recv_fds(connection, 4096, 1)
            assert answer(listener, 42)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
        finally:
            os.close(pidfd)
            os.close(listener)
    assert b'"fds": ["seccompFd"]' in text
    assert b'"metadata": "hello"' in text


def answer(listener, value):
    """Answer one question of a listener (seccomp_unotify(2)): 80 and 24 bytes on every 64-bit machine."""

    question = bytearray(80)
    fcntl.ioctl(listener, 0xC0502100, question)
    return (
        fcntl.ioctl(listener, 0xC0182101, question[:8] + value.to_bytes(8, "little") + bytes(8)) is not None
    )


def test_a_child_that_dies_hands_over_nothing():
    handover = seccomp.Handover()
    pid = os.fork()
    if not pid:
        os._exit(0)
    pidfd = os.pidfd_open(pid)
    assert handover.fetch(pidfd) == -1
    os.waitpid(pid, 0)
    os.close(pidfd)


def names():
    library = libseccomp.library()
    resolve = library.seccomp_syscall_resolve_num_arch
    found = [resolve(library.seccomp_arch_native(), number) for number in range(600)]
    return [ctypes.string_at(name).decode() for name in found if name]


ALL_NAMES = names()
