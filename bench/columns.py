"""Plain tables for the terminal."""

from collections.abc import Sequence
from unicodedata import east_asian_width


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns, two spaces apart; the last column is as wide as it is."""
    lines = [header, *rows]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(header) - 1)]
    padded = (
        [*(_fill(cell, width) for cell, width in zip(line[:-1], widths, strict=True)), line[-1]]
        for line in lines
    )
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def _fill(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _width(text: str) -> int:
    """Return the columns that a terminal takes: Chinese characters have two."""
    return len(text) if text.isascii() else sum(1 + (east_asian_width(one) in "WF") for one in text)
