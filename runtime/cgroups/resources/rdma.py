"""linux.resources.rdma (config-linux.md, "RDMA"): handles and objects per device; the same file on v1 and v2.

Kernel: Documentation/admin-guide/cgroup-v1/rdma.rst.
"""

from __future__ import annotations

from runtime.cgroups.fields import wrong
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.fields import Fields
    from runtime.cgroups.room import Room, Step

_MOST = (1 << 32) - 1


def plan(asked: Fields, room: Room) -> list[Step]:
    """Return the steps, one for each device."""
    found: list[Step] = []
    for name in asked.names():
        if not name or set(name) & set(" \t\n/"):
            raise wrong(asked.where, name, "the name of a device")
        entry = asked.inner(name)
        if entry is None:
            continue
        handles, objects = (entry.integer(key, most=_MOST) for key in ("hcaHandles", "hcaObjects"))
        entry.done()
        if handles is None and objects is None:
            raise RuntimeFault(
                f"{entry.where} has neither hcaHandles nor hcaObjects", kind="usage", hint="add one"
            )
        pairs = [
            f"{key}={value}"
            for key, value in (("hca_handle", handles), ("hca_object", objects))
            if value is not None
        ]
        found.append(room.spot("rdma", entry.where).write("rdma.max", " ".join([name, *pairs])))
    return found
