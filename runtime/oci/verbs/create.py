"""`tare-oci create`."""

from __future__ import annotations

from runtime.oci import create, signals
from runtime.oci.terminal import Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.report import Log

USAGE = "[option …] ID"
OPTIONS = create.OPTIONS
MIXED = True


def run(arguments: Arguments, log: Log) -> int:
    """Create, and leave the first process waiting for `start`."""
    signals.end_cleanly()
    create.create(arguments, log, Terminal(arguments, detached=True), share=True)
    return 0
