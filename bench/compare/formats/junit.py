"""A comparison as JUnit XML, as CI services read it: a test case for each finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.compare.formats import words
from bench.exchange.junit import Case, document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.compare.report import Report
    from bench.compare.threshold import Finding


def render(report: Report, findings: Sequence[Finding]) -> str:
    """Return one suite; what has regressed failed, what is undecided was skipped."""
    said = [*words.warnings(report), *words.differences(report)]
    return document(
        "tare compare",
        [_case(finding) for finding in findings],
        properties={"base": report.base, "new": report.new, "margin": f"{report.margin:g}"},
        output="\n".join(said),
    )


def _case(finding: Finding) -> Case:
    row, limit = finding.row, f" ({finding.threshold.label})" if finding.threshold else ""
    group = f"{row.scenario}.{row.target}" if row else "tare"
    name = f"{row.label}{limit}" if row else finding.text
    return Case(
        group=group,
        name=name,
        failure=finding.text if finding.outcome == "regressed" else "",
        skipped=finding.text if finding.outcome == "undecided" else "",
        output=" | ".join(words.cells(row)) if row else "",
    )
