"""Who keeps an instance, seen from the processes in its cgroups: for when its record can't be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runtime.cgroups import tree

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODULE = b"runtime.process.spawner"


def of(groups: Iterable[Path]) -> int:
    """Return the living process that keeps what runs in `groups`; 0 when nothing runs, or only orphans.

    That is a spawner, the parent of an instance's first process, or a spawner's client, which adopts the
    virtual machines that it put into a cgroup. Their children die with them or pass to another parent.
    """
    members = {pid for group in groups for pid in tree.processes(str(group))}
    keepers = _keepers() if members else frozenset()
    return next((above for pid in members for above in _line(pid) if above in keepers), 0)


def _keepers() -> frozenset[int]:
    spawners = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_spawner(path)]
    # A spawner that lost its client is about to end, and passed to process 1, which keeps nothing.
    return frozenset([*spawners, *map(_parent, spawners)]) - {0, 1}


def _is_spawner(path: Path) -> bool:
    try:
        return _MODULE in (path / "cmdline").read_bytes()
    except OSError:
        return False


def _line(pid: int) -> Iterable[int]:
    """Yield a process and those above it; a parent is older than its child, so this ends."""
    while pid:
        yield pid
        pid = _parent(pid)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()[1])
    except OSError:
        return 0
