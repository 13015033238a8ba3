"""The parts of a comparison in words, the same in every format for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.stats.estimate import LEVEL
from bench.stats.gate import FEWEST
from bench.units import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.compare.report import Report
    from bench.compare.row import Row, Side
    from bench.stats.estimate import Estimate
    from bench.stats.gate import Known

HEADER = ("SCENARIO", "TARGET", "METRIC", "BASE", "NEW", "RATIO", "P", "DELTA", "DETECTS", "VERDICT")
GATE = ("DETECTS", "A/A")
GATE_WORDS = (
    "DETECTS: the smallest difference that is found in 95 % of such runs; A/A: whether the target is like "
    f"itself, when its runs are dealt out as if there were two. Both take {FEWEST} runs that count."
)
_SHORT = 100


def cells(row: Row) -> tuple[str, ...]:
    """Return the line of one row, in the order of `HEADER`."""
    sides = (_side(row.base, row.unit), _side(row.new, row.unit))
    start = (row.scenario, row.target, row.label, *sides)
    if row.comparison is None:
        return (*start, "-", "-", "-", "-", f"inconclusive: {row.why}")
    c = row.comparison
    return (*start, ratio(c.ratio), f"{c.p:.2g}", f"{c.delta.value:+.2f}", _share(row.detects), row.verdict)


def gate_cells(gate: Known | None) -> tuple[str, str]:
    """Return the cells under `GATE` of a measurement; dashes where it has too few runs for one."""
    return ("-", "-") if gate is None else (_share(gate.detectable), "yes" if gate.passed else "NO")


def ratio(estimate: Estimate) -> str:
    """Return `1.052 (1.02 to 1.09)`, with the level where it is below 95 %."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f} (no interval)"
    level = "" if estimate.level >= LEVEL else f", {estimate.level:.0%} only"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f}{level})"


def warnings(report: Report) -> Iterator[str]:
    """Yield what a reader has to see before any number."""
    if report.differences:
        count = len(report.differences)
        points = "one point" if count == 1 else f"{count} points"
        yield f"THE RUNS WERE NOT MADE UNDER THE SAME CONDITIONS: they differ in {points}"
    yield from report.notes
    for who, names in (("the base", report.only_base), ("the new run", report.only_new)):
        if names:
            yield f"only in {who}: {', '.join(names)}"


def differences(report: Report) -> Iterator[str]:
    """Yield the facts that differ, a line each."""
    for name, (base, new) in report.differences.items():
        yield f"{name}: {_shortened(base)} → {_shortened(new)}"


def method(report: Report) -> str:
    """Say how to read the figures."""
    tests = sum(row.comparison is not None for row in report.rows)
    if not tests:
        return "nothing could be compared: see the column VERDICT"
    text = (
        f"ratio: new / base of the medians, 95 % interval; p: permutation test, adjusted for all {tests} by "
        "Holm; delta: Cliff's; detects: the smallest difference found in 95 % of such comparisons; "
        f"equivalent: the 90 % interval lies within ±{report.margin * 100:g} %"
    )
    if report.pair:
        return f"{text}; both were measured in turns in one run"
    return (
        f"{text}. Two runs at two times: a drift of the host between them is in the ratio and not in its "
        "interval; `tare run --ab` measures two versions in turns"
    )


def _side(side: Side, unit: str) -> str:
    return f"{quantity(side.median, unit)} (n={side.n})"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{float(f'{100 * value:.2g}'):g} %"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"
