"""`tare-oci state`."""

from __future__ import annotations

import json
import sys

from runtime.oci import lifecycle, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.report import Log

USAGE = "ID"
OPTIONS = ""
MIXED = True


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Print the state (runtime.md, State) with runc's further fields."""
    held = record.find(arguments.root, arguments.id())
    found = {**lifecycle.state(held), "rootfs": held.state["rootfs"], "created": held.state["created"]}
    sys.stdout.write(json.dumps({**found, "owner": ""}, indent=2) + "\n")
    return 0
