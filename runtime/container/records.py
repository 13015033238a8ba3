"""Instances on record, of this process and others: list, signal, remove what dead owners left."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from runtime.cgroups import tree
from runtime.cgroups.hierarchy import detect
from runtime.cgroups.manager import GROUP
from runtime.container.request import key
from runtime.container.started import handles
from runtime.errors import RuntimeFault
from runtime.linux.processes import alive
from runtime.process.reclaim import DRAFT, await_exit, kill, reclaim, remove_tree

if TYPE_CHECKING:
    from pathlib import Path

Status = Literal["creating", "running", "exited", "abandoned"]


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
    path = directory / "state.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        init, owner = state["init"] or {"pid": 0, "start": 0}, state["owner"]
        return Record(
            state["id"], state["kind"], tuple(state["args"]), state["labels"], state["created"],
            init["pid"], owner["pid"], _status(init, owner), directory, state,
        )  # fmt: skip
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as err:
        hint = f"stop what still runs in it, then delete {directory}"
        raise RuntimeFault(f"the record {path} is damaged", kind="corrupt", hint=hint) from err


def _status(init: dict[str, int], owner: dict[str, int]) -> Status:
    if not alive(owner["pid"], owner["start"]):
        return "abandoned"
    if not init["pid"]:
        return "creating"
    return "running" if alive(init["pid"], init["start"]) else "exited"


def records(run: Path) -> list[Record]:
    """All instances on record below `run`, oldest first."""
    found = [load(directory) for directory in _directories(run / "containers")]
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


def prune(run: Path, data: Path) -> list[str]:
    """Remove what dead owners left below the two roots; return the names. Those of living owners stay."""
    try:
        return _prune(run, data)
    except OSError as err:
        raise RuntimeFault.from_os(err, f"prune {err.filename or data}") from err


def _prune(run: Path, data: Path) -> list[str]:
    # What is there comes first, then the records: they are written before and removed after what they
    # describe, so a layer or cgroup whose record is missing by then belongs to nobody.
    containers, mounts = run / "containers", {entry.mount for entry in detect().trees.values()}
    groups = [path for mount in mounts for path in mount.glob(f"{GROUP}/{key(run)}-*")]
    layers = _directories(data / "containers")
    removed = [name for directory in _directories(containers) if (name := _prune_one(directory))]
    for group in groups:
        name = group.name.partition("-")[2]
        if group.exists() and not (containers / name).exists():
            tree.remove([str(group)])
            removed.append(name)
    for layer in layers:
        if layer.exists() and not (containers / layer.name).exists():
            remove_tree(str(layer))
            removed.append(layer.name)
    tree.remove_empty(str(mount / GROUP) for mount in mounts)
    return sorted(set(removed))


def _prune_one(directory: Path) -> str | None:
    if directory.name.startswith(DRAFT):
        pid, start, name = directory.name.removeprefix(DRAFT).split("-", 2)
        if alive(int(pid), int(start)):
            return None
        remove_tree(str(directory))
        return name
    record = load(directory)
    if record is None:  # a removal was cut short before its last step: a record appears whole or not at all
        remove_tree(str(directory))
        return directory.name
    if record.status != "abandoned":
        return None
    reclaim(str(directory), record.state)
    return record.id


def _directories(parent: Path) -> list[Path]:
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
