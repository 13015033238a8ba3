"""linux.resources.hugepageLimits (config-linux.md, "Huge page limits"): bytes per page size.

Kernel: Documentation/admin-guide/cgroup-v1/hugetlb.rst, cgroup-v2.rst "HugeTLB".
"""

from __future__ import annotations

from runtime.cgroups.fields import required, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.fields import Fields
    from runtime.cgroups.room import Room, Step

_UNITS = ("KB", "MB", "GB")


def plan(entries: list[Fields], room: Room) -> list[Step]:
    """Return the steps; the reservation, where the kernel accounts for it, is limited as the use is."""
    found: list[Step] = []
    for entry in entries:
        size = entry.text("pageSize")
        limit = required(entry, "limit", entry.integer("limit"))
        entry.done()
        if size[-2:] not in _UNITS or not size[:-2].isdigit():
            raise wrong(entry.path("pageSize"), size, "a size such as 64KB, 2MB or 1GB")
        spot = room.spot("hugetlb", entry.where)
        suffix = "limit_in_bytes" if spot.version == 1 else "max"
        found.append(spot.write(f"hugetlb.{size}.{suffix}", limit))
        found.append(("try", spot.file(f"hugetlb.{size}.rsvd.{suffix}"), str(limit)))
    return found
