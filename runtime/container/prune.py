"""Remove what dead owners left behind, by their records or, where a record is damaged, by the names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from runtime.cgroups import hierarchy, tree
from runtime.cgroups.manager import GROUP
from runtime.container import keeper
from runtime.container.kind import key
from runtime.container.records import Process, content, directories, load
from runtime.engine.prune import prune as prune_engine
from runtime.errors import RuntimeFault
from runtime.linux.processes import alive
from runtime.process.reclaim import DRAFT, reclaim
from runtime.process.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DRAFT = re.compile(re.escape(DRAFT) + r"(\d+)-(\d+)-(.+)")


class _Owned(msgspec.Struct):
    owner: Process


def _silent(_line: str) -> None:
    """Drop what nobody wants to hear."""


def prune(run: Path, data: Path, say: Callable[[str], None] = _silent) -> list[str]:
    """Remove what dead owners left below the two roots; return the names. Those of living owners stay.

    `say` hears one line about each that stays although its record is damaged, with the remedy.
    """
    try:
        return sorted([*_prune(run, data, say), *prune_engine(run, data)])
    except OSError as err:
        raise RuntimeFault.from_os(err, f"prune {err.filename or data}") from err


def _prune(run: Path, data: Path, say: Callable[[str], None]) -> list[str]:
    # What is there comes first, then the records: they are written before and removed after what they
    # describe, so a layer or cgroup whose record is missing by then belongs to nobody.
    # Other runtimes that were given a group of ours have made it in every hierarchy, not only where we do.
    containers, mounts = run / "containers", hierarchy.mounts()
    groups = [path for mount in mounts for path in mount.glob(f"{GROUP}/{key(run)}-*")]
    layers = directories(data / "containers")
    found = [_prune_one(directory, groups, say) for directory in directories(containers)]
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


def _owner(directory: Path) -> Process | None:
    """Owner, if at least that can be read."""
    try:
        return msgspec.json.decode(content(directory) or b"", type=_Owned).owner
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _drop(directory: Path, name: str) -> str:
    remove_tree(str(directory))
    return name
