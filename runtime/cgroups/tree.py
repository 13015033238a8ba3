"""Carry out a plan on a cgroup tree. Loaded by the process that forks, so it imports next to nothing."""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH102, PTH106, PTH123

from __future__ import annotations

import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Step = list[str] | tuple[str, ...]

_SIGKILL = 9
_PATIENCE = 5.0  # seconds that a dying process may keep its cgroup busy


def make(steps: Iterable[Step]) -> None:
    """Create and configure: [mkdir, dir], [enable, dir, "+a +b"], [write, file, text], [try, file, text].

    The parent that all instances share may be removed by another process between two steps; then it
    starts again.
    """
    todo = list(steps)
    for attempt in (1, 2, 3):
        try:
            for step in todo:
                _STEPS[step[0]](*step[1:])
        except FileNotFoundError:
            if attempt == 3:  # noqa: PLR2004
                raise
        else:
            return


def enter(directories: Iterable[str], pid: int) -> None:
    """Move the process `pid` into each directory."""
    for directory in directories:
        write(f"{directory}/cgroup.procs", str(pid))


def remove(directories: Iterable[str]) -> None:
    """Kill whatever is left in each cgroup and remove it; nothing happens to one that is already gone.

    A process leaves its cgroup a moment after its parent could reap it, and rmdir is EBUSY until then, so it
    is tried again with growing pauses.
    """
    for directory in directories:
        pause, deadline = 0.0001, time.monotonic() + _PATIENCE
        while not _rmdir(directory):
            kill(directory)
            if time.monotonic() > deadline:
                raise OSError(errno.EBUSY, "processes in it do not die", directory)
            time.sleep(pause)
            pause = min(pause * 2, 0.01)


def remove_empty(directories: Iterable[str]) -> None:
    """Remove the directories that hold nothing; others stay, and so do another user's."""
    for directory in directories:
        try:
            _rmdir(directory)
        except PermissionError:
            continue


def kill(directory: str) -> None:
    """SIGKILL every process in the cgroup: at once on v2 (Linux 5.14), else one by one."""
    try:
        write(f"{directory}/cgroup.kill", "1")
    except OSError:
        for pid in processes(directory):
            try:
                os.kill(pid, _SIGKILL)
            except ProcessLookupError:
                continue


def processes(directory: str) -> list[int]:
    """Pids in the cgroup; none when it does not exist."""
    try:
        with open(f"{directory}/cgroup.procs", encoding="ascii") as file:
            # A process of another pid namespace reads as 0.
            return [pid for line in file if (pid := int(line))]
    except (FileNotFoundError, OSError):
        return []


def write(path: str, text: str) -> None:
    """Write `text` with one system call: the kernel parses each write on its own."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as err:
        err.filename = path
        raise
    finally:
        os.close(fd)


def _mkdir(path: str) -> None:
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        return


def _enable(directory: str, controllers: str) -> None:
    # Even a write that changes nothing waits until dying cgroups below are gone, so look first.
    path = f"{directory}/cgroup.subtree_control"
    with open(path, encoding="ascii") as file:
        enabled = file.read().split()
    if not all(name[1:] in enabled for name in controllers.split()):
        write(path, controllers)


def _try(path: str, text: str) -> None:
    try:
        write(path, text)
    except FileNotFoundError:  # swap accounting is a build and boot option
        return


def _rmdir(directory: str) -> bool:
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError as err:
        if err.errno in {errno.EBUSY, errno.ENOTEMPTY}:
            return False
        raise
    return True


_STEPS: dict[str, Callable[..., None]] = {"mkdir": _mkdir, "enable": _enable, "write": write, "try": _try}
