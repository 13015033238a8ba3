"""How a process is born into namespaces that only children can be in: pid, time, and joined user ones.

setns(2) and unshare(2) of the pid and the time namespace take effect for children, so this process goes there
for a moment and comes back. A user namespace can't be left again, so there a process in between goes, makes
the child a sibling of its own (CLONE_PARENT), and ends.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

import os

from runtime.errors import RuntimeFault
from runtime.linux import syscalls, userns
from runtime.oci.spaces import FLAGS, TIME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_CLONE_PARENT = 0x8000
_HINT = "without root, begin in a cgroup below the one that was delegated, as the container did"
_CLOCKS = ("monotonic", "boottime")


def give(
    run: Callable[[], NoReturn],
    flags: int,
    elsewhere: dict[str, int],
    offsets: dict[str, Any] | None,
    cgroup: int | None,
) -> tuple[int, int]:
    """Make a child that calls `run`; returns its pid here, and a pidfd.

    `elsewhere` are descriptors of the namespaces "pid" and "user" to be born in; `offsets` are those of
    linux.timeOffsets for a new time namespace, None for no new one.
    """
    # The way back is open only to who has rights over the own pid namespace too.
    if "user" in elsewhere or ("pid" in elsewhere and not userns.privileged()):
        return _by_another(run, flags, elsewhere, cgroup)
    with _Time(offsets), _Pid(elsewhere.get("pid")):
        pid, pidfd = syscalls.clone3(flags, cgroup=cgroup)
        if pid == 0:
            run()
    return pid, pidfd


def _by_another(
    run: Callable[[], NoReturn], flags: int, elsewhere: dict[str, int], cgroup: int | None
) -> tuple[int, int]:
    hear, tell = os.pipe2(os.O_CLOEXEC)
    try:
        between, pidfd = syscalls.clone3(0)
        if between == 0:
            _between(run, flags, elsewhere, cgroup, tell)
        os.close(pidfd)
        os.close(tell)
        text = os.read(hear, 100).decode()
        os.waitpid(between, 0)
    finally:
        os.close(hear)
    number, _, why = text.partition(" ")
    if not number.isdigit():
        raise RuntimeFault(f"the process cannot {why or 'be made: the helper died'}", hint=_HINT)
    return int(number), os.pidfd_open(int(number))


def _between(
    run: Callable[[], NoReturn], flags: int, elsewhere: dict[str, int], cgroup: int | None, tell: int
) -> NoReturn:
    doing = "enter the container's namespaces"
    try:
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        if "user" in elsewhere:
            syscalls.setns(elsewhere["user"], FLAGS["user"])
        if "pid" in elsewhere:
            syscalls.setns(elsewhere["pid"], FLAGS["pid"])
        doing = "be born in its cgroup"
        pid, _ = syscalls.clone3(flags | _CLONE_PARENT, cgroup=cgroup)
        if pid == 0:
            run()
        os.write(tell, f"{pid} ".encode())
        os._exit(0)
    except OSError as err:
        os.write(tell, f"- {doing}: {err.strerror}".encode())
    finally:
        os._exit(1)


class _Pid:
    """While it is entered, children are born into another pid namespace."""

    def __init__(self, fd: int | None) -> None:
        self._fd, self._own = fd, -1

    def __enter__(self) -> None:
        if self._fd is not None:
            self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            syscalls.setns(self._fd, FLAGS["pid"])

    def __exit__(self, *_: object) -> None:
        if self._own >= 0:
            syscalls.setns(self._own, FLAGS["pid"])
            os.close(self._own)


def _make_time(offsets: dict[str, Any]) -> None:
    syscalls.unshare(TIME)
    lines = [
        f"{clock} {offsets[clock].get('secs', 0)} {offsets[clock].get('nanosecs', 0)}\n"
        for clock in _CLOCKS
        if clock in offsets
    ]
    if lines:
        with open("/proc/self/timens_offsets", "w", encoding="ascii") as file:
            file.write("".join(lines))


def enter_time(offsets: dict[str, Any]) -> None:
    """In the child, root of a new user namespace: make a time namespace there, and enter it oneself."""
    _make_time(offsets)
    fd = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(fd, TIME)
    finally:
        os.close(fd)


class _Time:
    """While it is entered, children are born into a new time namespace (time_namespaces(7))."""

    def __init__(self, offsets: dict[str, Any] | None) -> None:
        self._offsets, self._own = offsets, -1

    def __enter__(self) -> None:
        if self._offsets is None:
            return
        self._own = os.open("/proc/self/ns/time", os.O_RDONLY | os.O_CLOEXEC)
        _make_time(self._offsets)

    def __exit__(self, *_: object) -> None:
        if self._own >= 0:
            syscalls.setns(self._own, TIME)
            os.close(self._own)
