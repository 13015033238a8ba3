"""`tare-oci events`: figures of a container, in runc's form."""

from __future__ import annotations

import json
import sys
import time

from runtime.cgroups import events
from runtime.errors import RuntimeFault
from runtime.oci import members, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.record import Record
    from runtime.oci.report import Log

USAGE = "[--stats] [--interval DURATION] ID"
OPTIONS = """
    stats FLAG print the figures once
    interval TEXT between two lines, such as 5s (the default) or 500ms
"""
MIXED = True
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Print a JSON object a line: once with --stats, else until the container has ended."""
    held = record.find(arguments.root, arguments.id())
    if held.status == "stopped":
        raise RuntimeFault(f"container with id {held.id} is not running", kind="usage")
    members.need_cgroup(held, "take figures of")
    pause = _seconds(arguments.text("interval", "5s"))
    _print(held)
    while not arguments.flag("stats"):
        time.sleep(pause)
        if held.status == "stopped":
            return 0
        _print(held)
    return 0


def _print(held: Record) -> None:
    figures = events.stats(held.group)
    sys.stdout.write(json.dumps({"type": "stats", "id": held.id, "data": figures}) + "\n")
    sys.stdout.flush()


def _seconds(text: str) -> float:
    for unit, factor in _UNITS.items():
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit() and float(number) > 0:
            return float(number) * factor
    raise RuntimeFault(f"--interval {text!r} is no time", kind="usage", hint="for example 5s")
