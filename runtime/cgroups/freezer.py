"""Stop all processes of a cgroup and let them go on: freezer.state on v1, cgroup.freeze on v2.

Kernel: Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst; cgroup-v2.rst, "cgroup.freeze". On v1 a
frozen process does not die of SIGKILL before it is thawed; on v2 it does.
"""

from __future__ import annotations

import errno
import os
import time

from runtime.cgroups import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime.cgroups.oci import Group
    from runtime.cgroups.room import Spot

_PATIENCE = 2.0  # seconds; a process in uninterruptible sleep holds it up
_NUDGE = 20  # turns after which a v1 cgroup that is still freezing is thawed and frozen anew


def freeze(group: Group) -> None:
    """Freeze it and wait until it is.

    OSError: EBUSY after two seconds, with all thawed again; ENOTSUP where it has no freezer.
    """
    spot = _spot(group)
    if spot.version == 1:
        _freeze_v1(spot)
    else:
        tree.write(spot.file("cgroup.freeze"), "1")
        _await(spot, lambda: "frozen 1" in spot.read("cgroup.events"))


def thaw(group: Group) -> None:
    """Let its processes go on; OSError(ENOTSUP) where it has no freezer."""
    spot = _spot(group)
    if spot.version == 1:
        tree.write(spot.file("freezer.state"), "THAWED")
    else:
        tree.write(spot.file("cgroup.freeze"), "0")


def frozen(group: Group) -> bool:
    """Whether somebody froze this very cgroup, or is about to; False where it has no freezer."""
    spot = group.spots.get("freezer")
    if spot is None:
        return False
    if spot.version == 1:
        return spot.read("freezer.self_freezing") == "1" or spot.read("freezer.state") in {
            "FROZEN",
            "FREEZING",
        }
    return spot.read("cgroup.freeze") == "1"


def rescue(pids: Iterable[int], group: Group) -> list[int]:
    """Bring processes that somebody moved to a frozen cgroup back to ours, thawed; return which they were.

    Only v1 needs it, where they could not be killed. The root is their home when ours is gone.
    """
    spot = group.spots.get("freezer")
    if spot is None or spot.version != 1:
        return []
    home = spot.directory if tree.exists(spot.directory) else _root(spot)
    found = []
    for pid in pids:
        where = _freezer_of(pid)
        if where and f"{_root(spot)}{where}".rstrip("/") != home and _is_frozen(f"{_root(spot)}{where}"):
            tree.thaw(home)
            tree.move(home, pid)
            found.append(pid)
    return found


def _freeze_v1(spot: Spot) -> None:
    turns = 0

    def done() -> bool:
        nonlocal turns
        turns += 1
        if turns % _NUDGE == 0:  # a process that forks meanwhile can keep it freezing for ever
            tree.write(spot.file("freezer.state"), "THAWED")
        tree.write(spot.file("freezer.state"), "FROZEN")
        return spot.read("freezer.state") == "FROZEN"

    _await(spot, done)


def _await(spot: Spot, done: Callable[[], bool]) -> None:
    pause, deadline = 0.0001, time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            tree.thaw(spot.directory)
            raise OSError(errno.EBUSY, "a process in it can't be stopped", spot.directory)
        time.sleep(pause)
        pause = min(pause * 2, 0.01)


def _spot(group: Group) -> Spot:
    spot = group.spots.get("freezer")
    if spot is None:
        raise OSError(errno.ENOTSUP, "this container has no freezer cgroup")
    return spot


def _root(spot: Spot) -> str:
    """Return the mount point of the tree, which alone has no freezer.state."""
    directory = spot.directory
    while os.path.exists(f"{directory}/freezer.state") or not tree.exists(directory):  # noqa: PTH110 - lean
        directory = directory.rpartition("/")[0]
    return directory


def _freezer_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return next((path for _, names, path in lines if "freezer" in names.split(",")), "")


def _is_frozen(directory: str) -> bool:
    try:
        with open(f"{directory}/freezer.state", encoding="ascii") as file:  # noqa: PTH123
            return file.read().strip() != "THAWED"
    except OSError:
        return False
