"""A table in a page of docs/ that is made from data, between two marks."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->"


def written(page):
    """Return the table as the page has it."""
    return page.read_text().split(BEGIN)[1].split(END)[0]


def put(page, table):
    """Put the table into the page."""
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + table + END + rest.split(END)[1])
