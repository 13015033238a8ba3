"""Let go of processes that somebody else's frozen cgroup holds, so that they can die.

Kernel: Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst. What a v1 freezer holds does not even act
on SIGKILL; a process leaves that state when it is moved to a cgroup that isn't frozen. On v2 a frozen
process dies, so there is nothing to do.
"""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH123

from __future__ import annotations

from runtime.cgroups import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def release(pids: Iterable[int], groups: Iterable[str] = ()) -> None:
    """Move each process, its children and all members of the cgroups `groups` out of frozen cgroups.

    They go to the root of the freezer hierarchy, which is never frozen. Meant for processes that are about to
    die; those that have done so meanwhile are passed over.
    """
    root = _freezer()
    if not root:
        return
    found = {pid for group in groups for pid in tree.processes(group)}
    found.update(below for pid in pids for below in (pid, *_children(pid)))
    for pid in found:
        where = _place(pid)
        if where and _frozen(f"{root}{where}"):
            _move(root, pid)


def _freezer() -> str:
    """Mount point of the v1 freezer; empty where there is none (proc(5), mountinfo)."""
    for line in _lines("/proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup ") and "freezer" in after.rpartition(" ")[2].split(","):
            return before.split()[4]
    return ""


def _children(pid: int) -> list[int]:
    return [int(word) for line in _lines(f"/proc/{pid}/task/{pid}/children") for word in line.split()]


def _place(pid: int) -> str:
    rows = [line.split(":", 2) for line in _lines(f"/proc/{pid}/cgroup")]
    return next((path for _, names, path in rows if "freezer" in names.split(",")), "")


def _frozen(directory: str) -> bool:
    return any(line != "THAWED" for line in _lines(f"{directory}/freezer.state"))  # the root has no such file


def _move(root: str, pid: int) -> None:
    try:
        tree.enter([root], pid)
    except (ProcessLookupError, PermissionError):
        return


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []
