"""`tare-oci update`."""

from __future__ import annotations

import json
import sys

from runtime.cgroups import oci as cgroup
from runtime.errors import RuntimeFault
from runtime.oci import members, record
from runtime.oci.options import Arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.oci.report import Log

USAGE = "[option …] ID"
OPTIONS = """
    resources,r TEXT FILE with linux.resources as JSON, - for standard input
    memory TEXT BYTES, or a number with k, m or g
    memory-reservation TEXT BYTES
    memory-swap TEXT BYTES of memory and swap, -1 for no limit
    cpu-period TEXT MICROSECONDS
    cpu-quota TEXT MICROSECONDS in a period, -1 for no limit
    cpu-burst TEXT MICROSECONDS
    cpu-share,cpu-shares TEXT weight, 1024 by default
    cpu-rt-period TEXT MICROSECONDS
    cpu-rt-runtime TEXT MICROSECONDS
    cpu-idle TEXT 0 or 1
    cpuset-cpus TEXT such as 0-2,4
    cpuset-mems TEXT such as 0
    pids-limit TEXT processes and threads, -1 for no limit
    blkio-weight TEXT 10 to 1000
"""
MIXED = True
_FIELDS = {
    "memory": ("memory", "limit"), "memory-reservation": ("memory", "reservation"),
    "memory-swap": ("memory", "swap"), "cpu-period": ("cpu", "period"), "cpu-quota": ("cpu", "quota"),
    "cpu-burst": ("cpu", "burst"), "cpu-share": ("cpu", "shares"), "cpu-rt-period": ("cpu", "realtimePeriod"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime"), "cpu-idle": ("cpu", "idle"),
    "pids-limit": ("pids", "limit"),
    "blkio-weight": ("blockIO", "weight"), "cpuset-cpus": ("cpu", "cpus"), "cpuset-mems": ("cpu", "mems"),
}  # fmt: skip
_TAKES: dict[str, Callable[[Arguments, str], int | str]] = {
    "cpuset-cpus": Arguments.text, "cpuset-mems": Arguments.text,
    "memory": Arguments.size, "memory-reservation": Arguments.size, "memory-swap": Arguments.size,
}  # fmt: skip


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Change limits; what is not named stays."""
    held = record.find(arguments.root, arguments.id())
    members.need_cgroup(held, "change the limits of")
    status = held.status
    if status == "stopped":
        raise RuntimeFault("container is stopped: its limits can't be changed", kind="usage")
    wanted = _read(arguments.text("resources")) if arguments.text("resources") else _given(arguments)
    cgroup.make(cgroup.update(held.group, wanted))
    return 0


def _read(path: str) -> dict[str, Any]:
    try:
        with sys.stdin if path == "-" else open(path, encoding="utf-8") as file:  # noqa: PTH123
            found = json.load(file)
    except OSError as err:
        raise RuntimeFault.from_os(err, f"read {path}") from err
    except (ValueError, RecursionError) as err:
        raise RuntimeFault(f"{path} is no JSON: {err}", kind="usage") from err
    if not isinstance(found, dict):
        raise RuntimeFault(f"{path} must be an object", kind="usage", hint="see linux.resources")
    return found


def _given(arguments: Arguments) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option, (section, field) in _FIELDS.items():
        if option in arguments.given:
            take = _TAKES.get(option, Arguments.number)
            value = take(arguments, option)
            found.setdefault(section, {})[field] = value
    if not found:
        raise RuntimeFault(
            "there is nothing to change", kind="usage", hint="name a limit, or use --resources"
        )
    return found
