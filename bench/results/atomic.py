"""Replaces a file as a whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.errors import BenchFault

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(path: Path, data: bytes, *, durable: bool) -> None:
    """Put `data` at `path` by way of a temporary neighbour and rename(2).

    `durable` also flushes to the disk: that costs milliseconds of disk time and disturbs what is measured
    next, and a killed process loses nothing without it, so it is for the end of a run. A symbolic link is
    followed. Raises `BenchFault` "host" (disk full, no permission) with the old content intact, and what
    `check_destination` raises.
    """
    check_destination(path)
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(temporary, data, durable=durable)
        temporary.replace(path)
    except OSError as err:
        with suppress(OSError):
            temporary.unlink()
        raise refused(path, err) from err


def check_destination(path: Path) -> None:
    """Raise `BenchFault` "usage" for what is there and no plain file: a rename would replace the device."""
    if path.resolve().exists() and not path.resolve().is_file():
        raise BenchFault(f"{path} is not a regular file", hint="name a file to be written", kind="usage")


def _write(path: Path, data: bytes, *, durable: bool) -> None:
    with path.open("wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def refused(path: Path, err: OSError) -> BenchFault:
    """Return the fault (kind "host") for what the host said to a write to `path`."""
    if err.errno in {errno.ENOSPC, errno.EDQUOT}:
        hint = "free some space or name another place; what was there before is intact"
        return BenchFault(f"no space left to write {path}", hint=hint, kind="host")
    hint = "check the path and its permissions"
    return BenchFault(f"cannot write {path}: {err.strerror or err}", hint=hint, kind="host")
