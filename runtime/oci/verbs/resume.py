"""`tare-oci resume`."""

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
    """Let the processes of a paused container go on."""
    held = record.find(arguments.root, arguments.id())
    members.need_cgroup(held, "resume")
    if held.status != "paused":
        raise RuntimeFault("container not paused", kind="usage")
    freezer.thaw(held.group)
    return 0
