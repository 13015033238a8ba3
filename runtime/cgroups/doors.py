"""How a process of one thread puts itself into v1 cgroups: without the grace period that others need for it.

A write of a pid to `cgroup.procs` moves a whole thread group, so the kernel holds off every fork and exit of
it first, which takes milliseconds unless it has just been done. A thread that writes "0" to `tasks` moves
itself alone, and for that nothing is held off (kernel/cgroup/cgroup.c, cgroup_procs_write_start).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

Doors = dict[str, int]


def pass_through(directories: Iterable[str]) -> None:
    """Put the caller into each directory."""
    enter(open_all(directories))


def open_all(directories: Iterable[str]) -> Doors:
    """Open them for a child, who may not see the files any more, or not be allowed to write."""
    found: Doors = {}
    try:
        for directory in directories:
            path = f"{directory}/tasks"
            found[path] = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        close(found)
        raise
    return found


def enter(doors: Doors) -> None:
    """Put the caller behind each, and close them; OSError names the file."""
    try:
        for path, fd in doors.items():
            try:
                os.write(fd, b"0")
            except OSError as err:
                raise OSError(err.errno, err.strerror, path) from err
    finally:
        close(doors)


def close(doors: Doors) -> None:
    """Close them, in the process that does not go."""
    for fd in doors.values():
        os.close(fd)
