"""linux.resources.pids (config-linux.md, "PIDs"): the most processes and threads; below 0 is unlimited.

0 is not set, as runc and crun read it. Kernel: Documentation/admin-guide/cgroup-v1/pids.rst.
"""

from __future__ import annotations

from runtime.cgroups.fields import required

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.fields import Fields
    from runtime.cgroups.room import Room, Step


def plan(asked: Fields, room: Room) -> list[Step]:
    """Return the steps; the file is the same on v1 and v2."""
    limit = required(asked, "limit", asked.integer("limit", least=-(1 << 63)))
    asked.done()
    if not limit or (limit < 0 and "pids" not in room.spots):
        return []
    spot = room.spot("pids", asked.path("limit"))
    return [spot.write("pids.max", "max" if limit < 0 else limit)]
