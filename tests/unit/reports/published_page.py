"""The table of docs/reference/published-startup.md: `python -m tests.unit.reports.published_page`."""

import sys
from pathlib import Path

from reports.published import HEAD, figures

PAGE = Path(__file__).parents[3] / "docs/reference/published-startup.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->"


def table():
    """Return the table as Markdown."""
    lines = [f"| {' | '.join(HEAD)} |", "|---|---|---|---|---|", *map(_row, figures())]
    return "\n".join(lines) + "\n"


def _row(one):
    source = f"[{one.source}]({one.url})" if one.url else one.source
    return f"| {one.what} | {one.words} | {one.timed} | {one.machine} | {source} |"


def written():
    """Return the table as the page has it."""
    return PAGE.read_text().split(BEGIN)[1].split(END)[0]


def main():
    """Put the table into the page."""
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1])


if __name__ == "__main__":
    sys.exit(main())
