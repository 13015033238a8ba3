"""A comparison for programs: JSON with values in the file's units."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.compare.report import Report
    from bench.compare.row import Row
    from bench.compare.threshold import Finding

SCHEMA = "tare/comparison/1"


def render(report: Report, findings: Sequence[Finding]) -> str:
    """Return one JSON object."""
    document = {
        "schema": SCHEMA,
        "base": report.base,
        "new": report.new,
        "pair": asdict(report.pair) if report.pair else None,
        "margin": report.margin,
        "differences": {name: list(sides) for name, sides in report.differences.items()},
        "only_base": report.only_base,
        "only_new": report.only_new,
        "notes": report.notes,
        "rows": [_row(row) for row in report.rows],
        "findings": [_finding(finding) for finding in findings],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def _row(row: Row) -> dict[str, Any]:
    c = row.comparison
    return {
        "scenario": row.scenario,
        "metric": row.metric,
        "unit": row.unit,
        "params": row.params,
        "base": asdict(row.base),
        "new": asdict(row.new),
        "ratio": asdict(c.ratio) if c else None,
        "worse_by": asdict(row.change) if row.change else None,
        "p": c.p if c else None,
        "p_raw": c.p_raw if c else None,
        "detectable": row.detects,
        "cliffs_delta": asdict(c.delta) if c else None,
        "verdict": row.verdict,
        "why": row.why,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "threshold": finding.threshold.label if finding.threshold else None,
        "outcome": finding.outcome,
        "text": finding.text,
    }
