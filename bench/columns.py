"""Plain tables for the terminal."""

import re
from collections.abc import Sequence
from unicodedata import east_asian_width

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns, two spaces apart; the last column is as wide as it is. A row stays one line."""
    lines = [header, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(header) - 1)]
    padded = (
        [*(_fill(cell, width) for cell, width in zip(line[:-1], widths, strict=True)), line[-1]]
        for line in lines
    )
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def visible(text: str) -> str:
    """Return text in one line that moves no cursor: a file from elsewhere may hold any name.

    A line of its own could be a command to a CI service (`::error::`), and an escape sequence one to the
    terminal.
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _fill(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _width(text: str) -> int:
    """Return the columns that a terminal takes: Chinese characters have two."""
    return len(text) if text.isascii() else sum(1 + (east_asian_width(one) in "WF") for one in text)
