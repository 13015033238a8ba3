"""Who a process is: a pid alone may have been given to another process since."""

from __future__ import annotations

import os

_LONGEST = 4096  # bytes; 52 numbers and a name of 64


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third (state) on; empty when there is no such process (proc(5))."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return []
    try:
        return os.read(fd, _LONGEST).rpartition(b")")[2].decode("ascii").split()
    except ProcessLookupError:
        return []
    finally:
        os.close(fd)


def start_time(pid: int) -> int:
    """When the process began, in clock ticks since boot; 0 when it does not exist."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def myself() -> dict[str, int]:
    """Pid and start time of the caller, as the mounted procfs has them: not in a pid namespace of its own."""
    fd = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)  # open() would ask for its size, and more
    first, _, rest = os.read(fd, _LONGEST).partition(b" ")
    os.close(fd)
    return {"pid": int(first), "start": int(rest.rpartition(b")")[2].split()[19])}


def alive(pid: int, started: int) -> bool:
    """Whether this very process still runs; a zombie does not."""
    fields = _stat(pid)
    return bool(fields) and int(fields[19]) == started and fields[0] not in "ZX"


def children(parent: int) -> dict[int, str]:
    """State letters (proc(5)) of the children of a process, by pid; looks through all of /proc."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
    found = {pid: fields for pid in pids if (fields := _stat(pid))}
    return {pid: fields[0] for pid, fields in found.items() if int(fields[1]) == parent}


def session_members(session: int) -> list[int]:
    """Pids of the processes of a session. While one lives, the kernel gives the number to nobody else."""
    names = os.listdir("/proc")  # noqa: PTH208
    return [pid for name in names if name.isdigit() and _session(pid := int(name)) == session]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0
