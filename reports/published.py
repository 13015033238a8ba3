"""Startup times that others have published: data, with their sources, to stand beside one's own."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reports import units
from reports.tables import Cell, Table

if TYPE_CHECKING:
    from reports.model import View

FILE = Path(__file__).with_name("published.toml")
WORDS = (
    "What others have published, of THEIR machines, kernels, images and definitions of a start: a ratio "
    "of one of these to a figure above means nothing. Where a source could not be read, it says so."
)
HEAD = ("what", "published", "what was timed", "machine", "source")


class Published(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure in seconds; `n` starts (0: not said); `read` is the day on which the source was, or empty."""

    what: str
    seconds: float
    figure: str
    timed: str
    machine: str
    source: str
    url: str
    read: str
    n: int = 0

    @property
    def words(self) -> str:
        """The figure as people read it."""
        count = f", n = {self.n}" if self.n else ""
        return f"{self.figure} {units.quantity(self.seconds, 's')}{count}"


@cache
def figures() -> tuple[Published, ...]:
    """Return all figures in the order of the file."""
    return msgspec.convert(tomllib.loads(FILE.read_text())["figure"], tuple[Published, ...])


def beside(view: View) -> list[Table]:
    """Return the table, for a run that has measured starts."""
    if not view.of("startup", "ready"):
        return []
    rows = tuple(
        (Cell(one.what), Cell(one.words, numeric=True), Cell(one.timed), Cell(one.machine),
         Cell(f"{one.source}\n{one.url}" if one.url else one.source))
        for one in figures()
    )  # fmt: skip
    return [Table(WORDS, HEAD, rows, folded="Beside it: published startup times, of other people's machines")]
