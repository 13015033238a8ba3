"""linux.resources.network (config-linux.md, "Network"): the class and the priorities of packets, v1 only.

Kernel: Documentation/admin-guide/cgroup-v1/net_cls.rst, net_prio.rst.
"""

from __future__ import annotations

from runtime.cgroups.fields import required, wrong
from runtime.cgroups.room import unconverted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.fields import Fields
    from runtime.cgroups.room import Room, Step

_MOST = (1 << 32) - 1


def plan(asked: Fields, room: Room) -> list[Step]:
    """Return the steps; a class of 0 is not set."""
    found: list[Step] = []
    classid = asked.integer("classID", most=_MOST)
    if classid:
        _on_v1(room, "net_cls", asked.path("classID"))
        found.append(room.spot("net_cls", asked.path("classID")).write("net_cls.classid", classid))
    for entry in asked.each("priorities"):
        name, priority = (
            entry.text("name"),
            required(entry, "priority", entry.integer("priority", most=_MOST)),
        )
        entry.done()
        if not name or set(name) & set(" \t/"):
            raise wrong(entry.path("name"), name, "the name of an interface")
        _on_v1(room, "net_prio", entry.where)
        found.append(room.spot("net_prio", entry.where).write("net_prio.ifpriomap", f"{name} {priority}"))
    asked.done()
    return found


def _on_v1(room: Room, controller: str, where: str) -> None:
    if controller not in room.spots and room.spots and all(spot.version != 1 for spot in room.spots.values()):
        raise unconverted(where)
