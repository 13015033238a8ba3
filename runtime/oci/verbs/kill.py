"""`tare-oci kill`."""

from __future__ import annotations

import os

from runtime.cgroups import tree
from runtime.errors import RuntimeFault
from runtime.linux.processes import alive
from runtime.oci import members, record, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.record import Record
    from runtime.oci.report import Log

USAGE = "[--all] ID [SIGNAL]"
OPTIONS = "all,a FLAG every process of the container"
MIXED = True


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Send a signal, SIGTERM unless another is named, to the first process or to all."""
    held = record.find(arguments.root, arguments.id())
    name = arguments.rest[1] if len(arguments.rest) > 1 else "TERM"
    number = signals.number(name)
    if arguments.flag("all"):
        _everyone(held, number)
    elif held.status not in {"created", "running", "paused"}:
        hint = "only a created or running container takes signals"
        raise RuntimeFault("container not running", kind="usage", hint=hint)
    else:
        _one(held, number)
    return 0


def _one(held: Record, number: int) -> None:
    init = held.state["init"]
    try:
        pidfd = os.pidfd_open(init["pid"])
    except ProcessLookupError:
        return
    try:
        if alive(init["pid"], init["start"]):
            signals.send(pidfd, number)
    finally:
        os.close(pidfd)
    if number == signals.KILL:
        _thaw(held)


def _everyone(held: Record, number: int) -> None:
    """Signal each of its processes; in the cgroups, also of a container whose first process has ended."""
    for pid in members.pids(held):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    if number == signals.KILL:
        _thaw(held)


def _thaw(held: Record) -> None:
    """Let frozen processes go on, for on v1 they die only then."""
    for directory in held.state["cgroups"]:
        tree.thaw(directory)
