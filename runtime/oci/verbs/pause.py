"""`tare-oci pause`."""

from __future__ import annotations

from runtime.cgroups import freezer
from runtime.errors import RuntimeFault
from runtime.oci import members, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.report import Log

USAGE = "ID"
OPTIONS = ""
MIXED = True


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Suspend all processes of a running or created container."""
    held = record.find(arguments.root, arguments.id())
    members.need_cgroup(held, "pause")
    status = held.status
    if status not in {"running", "created"}:
        raise RuntimeFault(f"container not running or created: {status}", kind="usage")
    freezer.freeze(held.group)
    return 0
