"""The table of docs/reference/published-startup.md: `python -m tests.unit.reports.published_page`."""

from reports.published import HEAD, figures
from tests.unit import page_table
from tests.unit.page_table import DOCS

PAGE = DOCS / "reference/published-startup.md"


def table():
    """Return the table as Markdown."""
    lines = [f"| {' | '.join(HEAD)} |", "|---|---|---|---|---|", *map(_row, figures())]
    return "\n".join(lines) + "\n"


def _row(one):
    source = f"[{one.source}]({one.url})" if one.url else one.source
    return f"| {one.what} | {one.words} | {one.timed} | {one.machine} | {source} |"


def written():
    """Return the table as the page has it."""
    return page_table.written(PAGE)


if __name__ == "__main__":
    page_table.put(PAGE, table())
