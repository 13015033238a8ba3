"""A comparison for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.columns import table, visible
from bench.compare.formats import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.compare.report import Report
    from bench.compare.threshold import Finding


def render(report: Report, findings: Sequence[Finding]) -> str:
    """Return warnings, the table, the regressions, and how to read it."""
    return "\n".join([
        f"base  {visible(report.base)}\nnew   {visible(report.new)}",
        *_warnings(report),
        "",
        table(words.HEADER, [words.cells(row) for row in report.rows]),
        *_findings(findings),
        "",
        words.method(report),
    ])  # fmt: skip


def _warnings(report: Report) -> Iterator[str]:
    for warning in words.warnings(report):
        yield f"  ! {visible(warning)}"
    for difference in words.differences(report):
        yield f"      {visible(difference)}"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Show what failed, and with thresholds also what is undecided: without them the table has said it."""
    shown = [f for f in findings if f.outcome == "regressed" or (f.outcome == "undecided" and f.threshold)]
    if shown:
        yield ""
    for finding in shown:
        yield f"{'REGRESSION' if finding.outcome == 'regressed' else 'undecided'}: {visible(finding.text)}"
