"""`tare-oci list`."""

from __future__ import annotations

import json
import os
import pwd
import sys

from runtime.errors import RuntimeFault
from runtime.oci import lifecycle, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.options import Arguments
    from runtime.oci.record import Record
    from runtime.oci.report import Log

USAGE = "[--format table|json] [--quiet]"
OPTIONS = """
    format,f TEXT table or json
    quiet,q FLAG ids only
"""
MIXED = True
_COLUMNS = ("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Print all containers below the root."""
    form = arguments.text("format", "table")
    found = [_entry(held) for held in record.everything(arguments.root)]
    if arguments.flag("quiet"):
        text = "".join(f"{entry['id']}\n" for entry in found)
    elif form == "json":
        text = json.dumps(found) + "\n"
    elif form == "table":
        text = table([_COLUMNS, *([str(entry[c.lower()]) for c in _COLUMNS] for entry in found)])
    else:
        raise RuntimeFault(f"invalid format option {form!r}", kind="usage", hint="use table or json")
    sys.stdout.write(text)
    return 0


def table(rows: list[Any]) -> str:
    """Lay rows of strings out in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _entry(held: Record) -> dict[str, Any]:
    found = lifecycle.state(held)
    uid = held.state.get("uid", os.geteuid())
    try:
        owner = pwd.getpwuid(uid).pw_name
    except KeyError:
        owner = f"#{uid}"
    return {**found, "rootfs": held.state["rootfs"], "created": held.state["created"], "owner": owner}
