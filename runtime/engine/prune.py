"""Remove what a keeper that was killed has left: its containers with all they hold, and their network."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from runtime import network
from runtime.engine import documents, worker
from runtime.engine.places import Places
from runtime.errors import RuntimeFault
from runtime.oci import record
from runtime.process.removal import remove_tree


def prune(run: Path, data: Path) -> list[str]:
    """Remove them; return their names. Nothing is touched while a keeper lives.

    Containers that were created, or had ended before the keeper was killed, are the user's and stay.
    """
    places = Places(str(run.absolute()), str(data.absolute()))
    removed: list[str] = []
    if Path(places.lock).exists():
        lock = os.open(places.lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            removed = [*_lost(places), *_unwritten(places), *_unplanned(places)]
            Path(places.socket).unlink(missing_ok=True)
        except BlockingIOError:
            return []
        finally:
            os.close(lock)
    network.prune(run)
    return removed


def _lost(places: Places) -> list[str]:
    """Remove containers that ran."""
    found = []
    for container in documents.everything(places):
        state = documents.state(places, container)
        if state["Pid"] or state["Status"] not in {"created", "exited"} or _recorded(places, container):
            name = documents.plan(places, container)["Name"].removeprefix("/")
            worker.finish(places, container, remove=True)
            found.append(name)
    return found


def _recorded(places: Places, container: str) -> bool:
    return Path(f"{places.oci}/{container}").exists()


def _unwritten(places: Places) -> list[str]:
    """Remove directories whose creation, or removal, was cut short."""
    left = documents.sweep(places)
    home, known = Path(places.containers), set(documents.everything(places))
    damaged = [path.name for path in home.iterdir() if path.name not in known] if home.is_dir() else []
    for name in damaged:
        documents.remove(places, name)
    return [name[:12] for name in [*left, *damaged]]


def _unplanned(places: Places) -> list[str]:
    """Remove records of the runtime whose container is not there any more."""
    found = []
    record.sweep(places.oci)
    for held in record.everything(places.oci):
        try:
            worker.leftover(places, held.id)
            found.append(held.id[:12])
        except RuntimeFault:
            remove_tree(held.directory)
    return found
