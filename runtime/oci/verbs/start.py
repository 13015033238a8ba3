"""`tare-oci start`."""

from __future__ import annotations

from runtime.oci import lifecycle, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.report import Log

USAGE = "ID"
OPTIONS = ""
MIXED = True


def run(arguments: Arguments, log: Log) -> int:
    """Let the program of a created container begin."""
    held = record.find(arguments.root, arguments.id())
    held.release()
    lifecycle.Hooks(held.config(), held, log).started()
    return 0
