"""Instances on record, of this process and others: list, signal, remove what dead owners left."""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from runtime.cgroups import tree
from runtime.cgroups.hierarchy import detect
from runtime.cgroups.manager import GROUP
from runtime.container import keeper
from runtime.container.request import key
from runtime.container.started import handles
from runtime.errors import RuntimeFault
from runtime.linux.processes import alive
from runtime.process.reclaim import DRAFT, await_exit, kill, reclaim, remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DRAFT = re.compile(re.escape(DRAFT) + r"(\d+)-(\d+)-(.+)")
Status = Literal["creating", "running", "exited", "abandoned"]


class _Process(msgspec.Struct):
    pid: int
    start: int


class _State(msgspec.Struct):
    """What has to be in state.json, and of which type: what is listed there gets removed."""

    id: str
    kind: Literal["container", "native"]
    owner: _Process
    init: _Process | None
    args: tuple[str, ...]
    labels: dict[str, str]
    created: float
    cgroups: list[str]
    directories: list[str]


class _Owned(msgspec.Struct):
    owner: _Process


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
    content = _content(directory)
    if content is None:
        return None
    try:
        state = msgspec.json.decode(content, type=_State)
    except (msgspec.MsgspecError, UnicodeDecodeError) as err:
        hint = "`tare system prune` removes it and what it belongs to, unless that still runs"
        path = directory / "state.json"
        raise RuntimeFault(f"the record {path} is damaged: {err}", kind="corrupt", hint=hint) from err
    return Record(
        state.id, state.kind, state.args, state.labels, state.created, state.init.pid if state.init else 0,
        state.owner.pid, _status(state), directory, json.loads(content),
    )  # fmt: skip


def _content(directory: Path) -> bytes | None:
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


def _silent(_line: str) -> None:
    """Drop what nobody wants to hear."""


def prune(run: Path, data: Path, say: Callable[[str], None] = _silent) -> list[str]:
    """Remove what dead owners left below the two roots; return the names. Those of living owners stay.

    `say` hears one line about each that stays although its record is damaged, with the remedy.
    """
    try:
        return _prune(run, data, say)
    except OSError as err:
        raise RuntimeFault.from_os(err, f"prune {err.filename or data}") from err


def _prune(run: Path, data: Path, say: Callable[[str], None]) -> list[str]:
    # What is there comes first, then the records: they are written before and removed after what they
    # describe, so a layer or cgroup whose record is missing by then belongs to nobody.
    containers, mounts = run / "containers", {entry.mount for entry in detect().trees.values()}
    groups = [path for mount in mounts for path in mount.glob(f"{GROUP}/{key(run)}-*")]
    layers = _directories(data / "containers")
    found = [_prune_one(directory, groups, say) for directory in _directories(containers)]
    removed = [name for name in found if name]
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


def _prune_one(directory: Path, groups: list[Path], say: Callable[[str], None]) -> str | None:
    draft = _DRAFT.fullmatch(directory.name)
    if draft:
        return None if alive(int(draft[1]), int(draft[2])) else _drop(directory, draft[3])
    try:
        record = load(directory)
    except RuntimeFault:
        return _prune_damaged(directory, groups, say)
    if record is None:  # a removal was cut short before its last step: a record appears whole or not at all
        return _drop(directory, directory.name)
    if record.status != "abandoned":
        return None
    reclaim(str(directory), record.state)
    return record.id


def _prune_damaged(directory: Path, groups: list[Path], say: Callable[[str], None]) -> str | None:
    """Drop a damaged record unless somebody has the instance; what it described is found by its name then.

    Should the owner of an instance without any process live unseen, it loses nothing: each of its own steps
    of removal may find its work done.
    """
    own = [group for group in groups if group.name.partition("-")[2] == directory.name]
    owner = _owner(directory)
    keeping = keeper.of(own) if owner is None else owner.pid if alive(owner.pid, owner.start) else 0
    if keeping:
        say(
            f"container {directory.name} stays: its record {directory}/state.json is damaged, but process "
            f"{keeping} still has it; end that process, then run `tare system prune`"
        )
        return None
    return _drop(directory, directory.name)


def _owner(directory: Path) -> _Process | None:
    """Owner, if at least that can be read."""
    try:
        return msgspec.json.decode(_content(directory) or b"", type=_Owned).owner
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _drop(directory: Path, name: str) -> str:
    remove_tree(str(directory))
    return name


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
