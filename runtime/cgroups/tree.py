"""Carry out a plan on a cgroup tree. Loaded by the process that forks, so it imports next to nothing."""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH102, PTH106, PTH110, PTH112, PTH120, PTH123

from __future__ import annotations

import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Step = list[str] | tuple[str, ...]

_SIGKILL = 9
_PAGE = 4096
_MOVES = 5
_PATIENCE = 5.0  # seconds that a dying process may keep its cgroup busy


def make(steps: Iterable[Step]) -> None:
    """Create and configure, by steps of words.

    mkdir DIR; enable DIR "+a +b" (controllers for its children);
    offer DIR "+a +b" (those that it can); settle DIR "+a +b" CHILD (enable, its processes moving to CHILD);
    inherit DIR (v1 cpusets begin empty); own DIR UID; write FILE TEXT; try FILE TEXT (if there is the file);
    either FILE TEXT FILE TEXT (the first that is there); confirm FILE TEXT (and see that it was taken);
    devices DIR PROGRAM (in hexadecimal).

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


def move(directory: str, pid: int) -> None:
    """Move a process that may have ended meanwhile."""
    try:
        enter([directory], pid)
    except ProcessLookupError:
        return


def remove(directories: Iterable[str]) -> None:
    """Kill whatever is left in each cgroup and remove it with those below it; a missing one is no error.

    A process leaves its cgroup a moment after its parent could reap it, and rmdir is EBUSY until then, so it
    is tried again with growing pauses.
    """
    left = [directory for directory in directories if not _rmdir(directory)]
    pause, deadline = 0.0001, time.monotonic() + _PATIENCE
    while left:
        for (
            directory
        ) in left:  # v1: a frozen process dies only once it is thawed, in another directory of these
            thaw(directory)
        for directory in left:
            for below in descendants(directory):
                kill(below)
                _rmdir(below)
        left = [directory for directory in left if not _rmdir(directory)]
        if left and time.monotonic() > deadline:
            raise OSError(errno.EBUSY, "processes in it do not die", left[0])
        time.sleep(pause if left else 0)
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


def thaw(directory: str) -> None:
    """Let what the freezer holds in this cgroup and below it go on; nothing happens where none is."""
    for below in descendants(directory):
        for name, text in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
            try:
                write(f"{below}/{name}", text)
            except OSError:
                continue


def exists(directory: str) -> bool:
    """Whether there is such a cgroup."""
    return os.path.isdir(directory)


def occupied(directory: str) -> str:
    """Why a new container can't have this cgroup (config-linux.md, "Control groups"); empty if it can."""
    if not exists(directory):
        return ""
    if any(map(processes, descendants(directory))):
        return "has processes already"
    states = _read(f"{directory}/freezer.state"), _read(f"{directory}/cgroup.freeze")
    return "is frozen" if states[0] in {"FROZEN", "FREEZING"} or states[1] == "1" else ""


def descendants(directory: str) -> list[str]:
    """Return the cgroup and all below it, the deepest first; none when it does not exist."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found += descendants(entry.path)
    except (FileNotFoundError, NotADirectoryError):
        return found
    return [*found, directory]


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
        err.filename, err.filename2 = path, text
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
    if not _enabled(directory, controllers):
        write(f"{directory}/cgroup.subtree_control", controllers)


def _enabled(directory: str, controllers: str) -> bool:
    with open(f"{directory}/cgroup.subtree_control", encoding="ascii") as file:
        enabled = file.read().split()
    return all(name[1:] in enabled for name in controllers.split())


def _offer(directory: str, controllers: str) -> None:
    """Not where processes are: cpu and pids alone would be taken, and make a threaded domain of it.

    Nothing can be born in or moved to a child of that (cgroup-v2.rst, "Threads").
    """
    if _inhabited(directory):
        return
    for name in controllers.split():
        try:
            _enable(directory, name)
        except OSError:  # cpu, for one, stays with the root while real-time processes are elsewhere
            continue


def _settle(directory: str, controllers: str, child: str) -> None:
    """Only the root of the tree may have both processes and controllers for its children."""
    if _enabled(directory, controllers):
        return
    for _ in range(_MOVES):  # a process may fork while it is moved
        if not _inhabited(directory):
            break
        _mkdir(child)
        for pid in processes(directory):
            move(child, pid)
    if _inhabited(directory):  # by one of another pid namespace
        raise OSError(errno.EBUSY, "processes in it can't be moved", directory)
    _enable(directory, controllers)


def _inhabited(directory: str) -> bool:
    """Whether processes are in a cgroup itself that is not the root, the only one without a type."""
    return bool(_read(f"{directory}/cgroup.type") and _read(f"{directory}/cgroup.procs"))


def _inherit(directory: str) -> None:
    """Nothing can enter a v1 cpuset before it has processors and memory nodes; other cgroups have none."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if os.path.exists(f"{directory}/{name}") and not _read(f"{directory}/{name}"):
            write(f"{directory}/{name}", _read(f"{os.path.dirname(directory)}/{name}"))


def _own(directory: str, uid: str) -> None:
    """config-linux.md, "Cgroup ownership": the directory, and the files that the kernel means to be given."""
    names = _read("/sys/kernel/cgroup/delegate").split() or [
        "cgroup.procs",
        "cgroup.subtree_control",
        "cgroup.threads",
    ]
    for path in (directory, *(f"{directory}/{name}" for name in names)):
        try:
            os.chown(path, int(uid), -1)
        except FileNotFoundError:
            continue


def _devices(directory: str, program: str) -> None:
    from runtime.cgroups import bpf  # noqa: PLC0415 - on v2 only

    bpf.replace(directory, bytes.fromhex(program))


def _try(path: str, text: str) -> None:
    try:
        write(path, text)
    except FileNotFoundError:  # swap accounting is a build and boot option
        return


def _either(*pairs: str) -> None:
    for path, text in zip(pairs[:-2:2], pairs[1:-2:2], strict=True):
        try:
            return write(path, text)
        except FileNotFoundError:
            continue
    return write(*pairs[-2:])


def _confirm(path: str, text: str) -> None:
    write(path, text)
    if _read(path) != text:
        err = OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), path)
        err.filename2 = text
        raise err


def _read(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a third of what open() takes
    except OSError:
        return ""
    try:
        return b"".join(iter(lambda: os.read(fd, _PAGE), b"")).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(fd)


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


_STEPS: dict[str, Callable[..., None]] = {
    "mkdir": _mkdir, "enable": _enable, "offer": _offer, "settle": _settle,
    "inherit": _inherit, "own": _own, "write": write, "try": _try, "either": _either, "confirm": _confirm,
    "devices": _devices,
}  # fmt: skip
