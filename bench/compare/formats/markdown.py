"""A comparison for a pull request or a step summary, in GitHub's Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.compare.formats import words
from bench.compare.merit import CLAIMED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.compare.report import Report
    from bench.compare.row import Row
    from bench.compare.threshold import Finding


def render(report: Report, findings: Sequence[Finding]) -> str:
    """Return a heading, warnings, the table, and what failed."""
    regressed = [f for f in findings if f.outcome == "regressed"]
    undecided = [f for f in findings if f.outcome == "undecided" and f.threshold]
    return "\n".join([
        f"### Tare: {code(report.new)} against {code(report.base)}\n",
        *(f"> **Warning** {escape(text)}" for text in words.warnings(report)),
        *_differences(report),
        "",
        *table(words.HEADER, [_marked(row) for row in report.rows]),
        "",
        *(f"- **Regression:** {escape(f.text)}" for f in regressed),
        *(f"- Undecided: {escape(f.text)}" for f in undecided),
        "",
        escape(words.method(report)),
    ])  # fmt: skip


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = [header, ["---"] * len(header), *([escape(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def escape(text: str) -> str:
    """Return text that stays in one cell and is no markup."""
    for mark in "\\`*_<>|[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def code(text: str) -> str:
    """Return text as code, in which a backslash escapes nothing."""
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain}`"


def _marked(row: Row) -> list[str]:
    """Return the cells of a row, with a mark where it got worse or better."""
    *cells, verdict = words.cells(row)
    return [*cells, f"{'🔴' if row.worse else '🟢'} {verdict}" if row.verdict in CLAIMED else verdict]


def _differences(report: Report) -> Iterator[str]:
    if report.differences:
        yield ""
        yield from table(
            ("CONDITION", "BASE", "NEW"), [(n, *sides) for n, sides in report.differences.items()]
        )
