"""Files that appear whole or not at all, made by one process while others wait."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmdriver.errors import from_os

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, made if needed, for as long as the block runs."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise from_os(err, f"locking {path}") from err
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, renamed to it if the block ends well, removed if it fails."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as err:
        raise from_os(err, f"writing {path}") from err
    finally:
        discard(temporary)


def discard(path: Path) -> None:
    """Remove a file or a tree, whichever `path` is, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def once(path: Path) -> Iterator[Path | None]:
    """Yield None if `path` is there already, else a temporary name to fill, held by this process alone.

    >>> with once(cache / "disk.raw") as fresh:
    ...     if fresh:
    ...         build(fresh)
    """
    if path.exists():
        yield None
        return
    with locked(path.with_name(f".{path.name}.lock")):
        if path.exists():
            yield None
            return
        with replacing(path) as temporary:
            yield temporary
