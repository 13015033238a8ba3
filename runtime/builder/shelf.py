"""What builds have left for later ones: results of steps, and the directories of cache mounts."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runtime.builder.cache import Cache
from runtime.container import scratch
from runtime.image import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.image.store import Store

MOUNTS = "build-cache"


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing: `kind` is "step" or "mount", `name` a step's key or a mount's id; `bytes` its blob or files.

    A step whose blob is gone, or that changed nothing, has 0 bytes.
    """

    kind: str
    name: str
    bytes: int
    made: datetime


def everything(store: Store, data: Path) -> list[Kept]:
    """Return all that is kept, steps first, the oldest first; what vanishes meanwhile is left out."""
    steps = [_step(store, path) for path in _files(store.root / "steps")]
    mounts = [_mount(path) for path in _mounts(data)]
    return sorted(filter(None, [*steps, *mounts]), key=lambda kept: (kept.kind != "step", kept.made))


def forget(store: Store, data: Path) -> tuple[int, int]:
    """Forget all steps, and remove the mounts that no build uses; returns how many of each.

    The blobs of the steps go with the next `image.prune`. Raises OSError.
    """
    steps = list(_files(store.root / "steps"))
    for path in steps:
        path.unlink(missing_ok=True)
    for path in _files(store.root / "builds"):  # what whole builds have noted
        path.unlink(missing_ok=True)
    removed = 0
    scratch.prune(data / MOUNTS)
    for path in _mounts(data):
        with _alone(path) as alone:
            if alone:
                disk.remove_tree(path)
                removed += 1
    return len(steps), removed


def _files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _mounts(data: Path) -> list[Path]:
    return [path for path in _files(data / MOUNTS) if path.is_dir() and path.name != "scratch"]


def _step(store: Store, path: Path) -> Kept | None:
    found, made = Cache.read(path), _time(path)
    if found is None or made is None:
        return None
    layer = found[0]
    there = layer is not None and layer.descriptor.digest in store.blobs
    return Kept("step", path.name, layer.descriptor.size if layer and there else 0, made)


def _mount(path: Path) -> Kept | None:
    made, lock = _time(path), path.with_suffix(".lock")
    name = lock.read_text(errors="replace") if lock.exists() else ""
    return Kept("mount", name or path.name, disk.size_on_disk(path), made) if made else None


def _time(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


@contextmanager
def _alone(mount: Path) -> Iterator[bool]:
    """Hold the lock that a RUN holds while it has the mount; yields whether nobody had it."""
    with mount.with_suffix(".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
