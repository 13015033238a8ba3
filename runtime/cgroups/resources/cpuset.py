"""cpus and mems of linux.resources.cpu: which processors and memory nodes, as lists such as 0-3,7.

Kernel: Documentation/admin-guide/cgroup-v1/cpusets.rst, cgroup-v2.rst "Cpuset".
"""

from __future__ import annotations

from runtime.cgroups.fields import wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.fields import Fields
    from runtime.cgroups.room import Room, Step


def plan(asked: Fields, room: Room) -> list[Step]:
    """Return the steps; the kernel refuses what the parent does not have, or the machine."""
    found: list[Step] = []
    for name in ("cpus", "mems"):
        text = asked.text(name)
        if text:
            if set(text) - set("0123456789-,: /"):
                raise wrong(asked.path(name), text, "a list of numbers such as 0-3,7")
            found.append(room.spot("cpuset", asked.path(name)).write(f"cpuset.{name}", text))
    return found
