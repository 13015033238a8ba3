"""One process at a time in a directory of stored runs."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def locked(root: Path, name: str) -> Iterator[bool]:
    """Hold the lock file `name` in `root`; yields whether it could be made, since reading needs no lock.

    The kernel releases it with the process, however that ends (flock(2)).
    """
    try:
        lock = os.open(root / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield True
    finally:
        os.close(lock)
