"""`tare-oci delete`."""

from __future__ import annotations

from runtime.errors import RuntimeFault
from runtime.oci import lifecycle, record
from runtime.process.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.record import Record
    from runtime.oci.report import Log

USAGE = "[--force] ID"
OPTIONS = "force,f FLAG kill it first; no error when it does not exist"
MIXED = True


def run(arguments: Arguments, log: Log) -> int:
    """Remove a stopped container, with --force any."""
    force = arguments.flag("force")
    record.sweep(arguments.root)
    try:
        held = record.find(arguments.root, arguments.id())
    except RuntimeFault as err:
        if force and err.kind == "missing":
            return 0
        if force and err.kind == "corrupt":
            log.remark(f"{err}: it is removed, and what it told of stays, processes and cgroups")
            remove_tree(record.directory(arguments.root, arguments.id()))
            return 0
        raise
    _delete(held, log, force=force)
    return 0


def _delete(held: Record, log: Log, *, force: bool) -> None:
    status = held.status
    if not force and status != "stopped":
        hint = f"kill it first, or use tare-oci delete --force {held.id}"
        raise RuntimeFault(
            f"cannot delete container {held.id} that is not stopped: {status}", kind="usage", hint=hint
        )
    lifecycle.delete(held, log)
