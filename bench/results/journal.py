"""What has been added to a result file since it was last written as a whole: a journal beside it.

Writing a whole file for each sample would write a long run's samples over and over (the square of their
number). So `FILE.journal` takes a line of JSON for each addition, and names in its first line the very bytes
of the file that it adds to: after a kill between the renames of the two it is of an older file, and says
nothing.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from bench.errors import BenchFault
from bench.results.atomic import refused, replace_file
from bench.results.model import (
    Calibration,
    Caveat,
    Failure,
    Measurement,
    Record,
)

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = "tare/journal/1"


class Head(Record, frozen=True, kw_only=True):
    """The first line: the run, and the SHA-256 of the file's bytes."""

    schema: Literal["tare/journal/1"] = SCHEMA
    run: str
    of: str


class Addition(Record, frozen=True, kw_only=True, omit_defaults=True):
    """Any other line: what came to a run's lists. Samples join those of the same measurement."""

    calibrations: tuple[Calibration, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[Caveat, ...] = ()


def beside(path: Path) -> Path:
    """Return where the journal of the result file `path` is."""
    return path.with_name(f"{path.name}.journal")


class Journal:
    """The journal of one result file, open for additions; `size` is its length in bytes."""

    def __init__(self, file: Path, run: str, content: bytes) -> None:
        """Begin anew: `file` holds `content` now. Errors as `replace_file`."""
        self.path = beside(file)
        head = msgspec.json.encode(Head(run=run, of=_digest(content))) + b"\n"
        replace_file(self.path, head, durable=False)
        self.size = len(head)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def add(self, addition: Addition) -> None:
        """Append a line: all of it or, if this fails (`BenchFault` "host"), nothing."""
        line = msgspec.json.encode(addition) + b"\n"
        try:
            rest = line
            while rest:  # a disk that becomes full takes a part, and complains only of the next one
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as err:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise refused(self.path, err) from err
        self.size += len(line)

    def close(self) -> None:
        """Let go of it; may be repeated."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Close and delete it."""
        self.close()
        with suppress(FileNotFoundError):
            self.path.unlink()


def additions(file: Path, content: bytes) -> list[Addition] | None:
    """Return what the journal of `file` adds to `content`; None when it adds to other content.

    A line without its end, as a kill leaves it, was never added. Raises `BenchFault` "corrupt" for any other
    line that can't be read.
    """
    place = beside(file)
    try:
        head, *lines = place.read_bytes().split(b"\n")[:-1]
    except (FileNotFoundError, ValueError):
        return []
    if _of(head) != _digest(content):
        return None
    try:
        return [msgspec.json.decode(line, type=Addition) for line in lines]
    except msgspec.MsgspecError as err:
        raise BenchFault(
            f"{place} is damaged: {err}",
            hint=f"delete it to go on with what {file.name} itself holds",
            kind="corrupt",
        ) from err


def _of(head: bytes) -> str:
    try:
        return msgspec.json.decode(head, type=Head).of
    except msgspec.MsgspecError:
        return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
