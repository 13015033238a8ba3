"""Files that appear whole or not at all, made by one process while others wait."""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmdriver.errors import from_os
from vmdriver.process import Identity, myself

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TEMPORARY = re.compile(r"\..+\.(\d+)-(\d+)\.\d+")
_count = itertools.count()


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


def temporary(path: Path) -> Path:
    """Return a name beside `path` that tells which process uses it, so that its remains can be known."""
    return path.with_name(f".{path.name}.{myself()}.{next(_count)}")


def abandoned(directory: Path) -> tuple[Path, ...]:
    """Return the temporary files and trees in `directory` whose process is gone."""
    found = []
    for path in directory.glob(".*"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and not Identity(int(match[1]), int(match[2])).alive():
            found.append(path)
    return tuple(found)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, renamed to it if the block ends well, removed if it fails."""
    fresh = temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield fresh
        fresh.replace(path)
    except OSError as err:
        raise from_os(err, f"writing {path}") from err
    finally:
        discard(fresh)


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
