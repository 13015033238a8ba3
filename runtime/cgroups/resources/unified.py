"""linux.resources.unified (config-linux.md, "Unified"): files of the v2 cgroup by name, written as given."""

from __future__ import annotations

from runtime.cgroups.fields import wrong
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.room import Room, Spot, Step

_NAMES = {"io": "blkio", "cgroup": "unified"}  # cgroup.freeze and the like are the tree's own


def plan(where: str, values: object, room: Room) -> list[Step]:
    """Return the steps; a controller that is not on the v2 tree is a fault that names the key.

    The kernel parses each write on its own, so a value of several lines takes as many.
    """
    found: list[Step] = []
    if not isinstance(values, dict):
        raise wrong(where, values, "an object")
    for key, value in values.items():
        path = f"{where}[{key!r}]"
        if not isinstance(value, str):
            raise wrong(path, value, "text")
        spot = _spot(key, path, room)
        found += [spot.write(key, line) for line in value.splitlines() or [""]]
    return found


def _spot(key: str, path: str, room: Room) -> Spot:
    controller, _, rest = key.partition(".")
    if not controller or not rest or set(key) & set("/\n\0"):
        hint = "for example memory.high"
        raise RuntimeFault(f"{path} is not the name of a cgroup v2 file", kind="usage", hint=hint)
    spot = room.spot(_NAMES.get(controller, controller), path)
    if spot.version == 1:
        reason = f"this host has the {controller} controller on cgroup v1"
        raise RuntimeFault(f"{path}: {reason}", kind="host", hint="use the named fields of linux.resources")
    return spot
