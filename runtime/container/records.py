"""Instances on record, of this process and others: list, signal, stop, remove."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from runtime.container.started import handles
from runtime.errors import RuntimeFault
from runtime.linux.processes import alive
from runtime.process.reclaim import await_exit, kill, reclaim

if TYPE_CHECKING:
    from pathlib import Path

Status = Literal["creating", "running", "exited", "abandoned"]


class Process(msgspec.Struct):
    """A process of the host by its number and start time (clock ticks since boot)."""

    pid: int
    start: int


class _State(msgspec.Struct):
    """What has to be in state.json, and of which type: what is listed there gets removed."""

    id: str
    kind: Literal["container", "native"]
    owner: Process
    init: Process | None
    args: tuple[str, ...]
    labels: dict[str, str]
    created: float
    cgroups: list[str]
    directories: list[str]


@dataclass(frozen=True)
class Record:
    """One state.json. `status`: creating, running, exited (its owner has not removed it yet) or abandoned."""

    id: str
    kind: Literal["container", "native"]
    args: tuple[str, ...]
    labels: dict[str, str]
    created: float
    pid: int
    owner: int
    status: Status
    directory: Path
    state: dict[str, Any]


def load(directory: Path) -> Record | None:
    """Record in `directory`; None when there is none, a fault of kind corrupt when it can't be read."""
    text = content(directory)
    if text is None:
        return None
    try:
        state = msgspec.json.decode(text, type=_State)
    except (msgspec.MsgspecError, UnicodeDecodeError) as err:
        hint = "`tare system prune` removes it and what it belongs to, unless that still runs"
        path = directory / "state.json"
        raise RuntimeFault(f"the record {path} is damaged: {err}", kind="corrupt", hint=hint) from err
    return Record(
        state.id, state.kind, state.args, state.labels, state.created, state.init.pid if state.init else 0,
        state.owner.pid, _status(state), directory, json.loads(text),
    )  # fmt: skip


def content(directory: Path) -> bytes | None:
    """Return the bytes of the record in `directory`; None when there is none."""
    try:
        return (directory / "state.json").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        return b""


def _status(state: _State) -> Status:
    if not alive(state.owner.pid, state.owner.start):
        return "abandoned"
    if not state.init:
        return "creating"
    return "running" if alive(state.init.pid, state.init.start) else "exited"


def records(run: Path) -> list[Record]:
    """All instances on record below `run`, oldest first."""
    found = [load(directory) for directory in directories(run / "containers")]
    return sorted((r for r in found if r), key=lambda r: r.created)


def find(run: Path, name: str) -> Record:
    """Record of `name`; a fault of kind missing that lists the known ones."""
    record = load(run / "containers" / name) if "/" not in name else None
    if record is None:
        known = ", ".join(r.id for r in records(run)) or "none"
        raise RuntimeFault(f"there is no container {name}", kind="missing", hint=f"known: {known}")
    return record


def send(record: Record, number: int) -> None:
    """Send a signal to process 1; a fault when it does not run."""
    if not _signal(record, number):
        raise RuntimeFault(f"{record.id} is not running", kind="missing", hint="see tare container ps")


def stop(record: Record, grace: float) -> None:
    """SIGTERM, then SIGKILL after `grace` seconds, or at once when process 1 has no handler for SIGTERM.

    Without a handler the kernel drops the signal (pid_namespaces(7)), so there would be nothing to wait for.
    """
    patient = record.kind == "native" or handles(record.pid, signal.SIGTERM)
    if patient and _signal(record, signal.SIGTERM, wait=grace):
        return
    kill(record.pid, record.state["init"]["start"])


def remove(record: Record, *, force: bool = False) -> None:
    """Remove what an instance left; `force` kills a running one, and its owner then cleans up."""
    if record.status == "abandoned":
        try:
            reclaim(str(record.directory), record.state)
        except OSError as err:
            raise RuntimeFault.from_os(err, f"remove {record.id}") from err
    elif not force:
        hint = "stop it first, or use --force"
        raise RuntimeFault(f"{record.id} is {record.status}", kind="usage", hint=hint)
    elif record.state["init"]:
        kill(record.pid, record.state["init"]["start"])


def directories(parent: Path) -> list[Path]:
    """Return the directories in `parent`, by name; none when it is not there."""
    return sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []


def _signal(record: Record, number: int, *, wait: float | None = None) -> bool:
    """Signal process 1; whether it ran, and with `wait` whether it ended within as many seconds."""
    init = record.state["init"]
    try:
        fd = os.pidfd_open(record.pid) if init else -1
    except ProcessLookupError:
        return False
    if fd < 0:
        return False
    try:
        if not alive(record.pid, init["start"]):
            return False
        signal.pidfd_send_signal(fd, number)
        if wait is not None:
            await_exit(fd, record.id, wait)
    except (ProcessLookupError, TimeoutError):
        return False
    finally:
        os.close(fd)
    return True
