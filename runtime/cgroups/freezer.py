"""Stop all processes of a cgroup and let them go on: freezer.state on v1, cgroup.freeze on v2.

Kernel: Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst; cgroup-v2.rst, "cgroup.freeze". On v1 a
frozen process does not die of SIGKILL before it is thawed; on v2 it does.
"""

from __future__ import annotations

import errno
import time

from runtime.cgroups import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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
