"""Compiled profiles on disk: compiling docker's takes longer than the rest of a start.

An entry holds the profile that it was made from, and only an equal one finds it: the name of the file is no
more than a place to look.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH104, PTH108, PTH116, PTH118, PTH123

from __future__ import annotations

import contextlib
import os
import struct
import zlib

_FORMAT = b"tare seccomp 1\n"


def find(directory: str, key: bytes) -> bytes | None:
    """Return the program kept for `key`, if there is one that only this user can have written."""
    try:
        with open(_path(directory, key), "rb") as file:
            if not _own(os.stat(directory)) or not _own(os.fstat(file.fileno())):
                return None
            content = file.read()
    except OSError:
        return None
    head = _head(key)
    return content[len(head) :] if content.startswith(head) else None


def keep(directory: str, key: bytes, program: bytes) -> None:
    """Keep `program` for the next start; without a place for it, that start compiles again."""
    path = _path(directory, key)
    temporary = f"{path}.{os.getpid()}"
    with contextlib.suppress(OSError):
        os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(_head(key) + program)
            os.rename(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise


def _own(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _path(directory: str, key: bytes) -> str:
    return os.path.join(directory, f"{zlib.crc32(key):08x}")


def _head(key: bytes) -> bytes:
    machine = os.uname().machine.encode()
    return _FORMAT + machine + struct.pack("=I", len(key)) + key
