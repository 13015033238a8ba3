"""`tare-oci ps`."""

from __future__ import annotations

import json
import subprocess
import sys

from runtime.errors import RuntimeFault
from runtime.oci import members, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.report import Log

USAGE = "[--format table|json] ID [ps option …]"
OPTIONS = "format,f TEXT table or json"
MIXED = False


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Print the host's numbers of the processes, or the lines of ps(1) about them."""
    held = record.find(arguments.root, arguments.id())
    pids = members.pids(held)
    form = arguments.text("format", "table")
    if form == "json":
        sys.stdout.write(json.dumps(pids) + "\n")
    elif form == "table":
        sys.stdout.write(_table(pids, arguments.rest[1:] or ["-ef"]))
    else:
        raise RuntimeFault(f"invalid format option {form!r}", kind="usage", hint="use table or json")
    return 0


def _table(pids: list[int], words: list[str]) -> str:
    try:
        done = subprocess.run(["ps", *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as err:
        raise RuntimeFault(f"cannot run ps: {err}", kind="host", hint="use --format json") from err
    header, *lines = done.stdout.splitlines()
    if "PID" not in header.split():
        raise RuntimeFault("ps printed no column PID", kind="usage", hint="ask for one, as -ef does")
    column = header.split().index("PID")
    mine = [line for line in lines if line.split()[column] in map(str, pids)]
    return "\n".join([header, *mine]) + "\n"
