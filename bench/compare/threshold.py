"""`--fail-on METRIC:PCT`: how much worse a metric may be, fixed before anybody looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.errors import BenchFault
from bench.stats.estimate import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.compare.report import Report
    from bench.compare.row import Row

Outcome = Literal["regressed", "held", "undecided"]
EXAMPLE = "for example ready:5, or startup/ready:5 for the metric of one scenario"


@dataclass(frozen=True)
class Threshold:
    """At most `share` worse (0.05: 5 %) in every row of `metric`, of one `scenario` if that is given."""

    scenario: str
    metric: str
    share: float

    @property
    def label(self) -> str:
        """The threshold as it is written on the command line."""
        name = f"{self.scenario}/{self.metric}" if self.scenario else self.metric
        return f"{name}:{self.share * 100:g}"

    def covers(self, row: Row) -> bool:
        """Whether it speaks of this row."""
        return row.metric == self.metric and self.scenario in {"", row.scenario}

    def judge(self, row: Row) -> Outcome:
        """Return "regressed" when it is confirmed that the row is worse by more than the share.

        Confirmed: p as adjusted for all rows is at most 5 %, and all of the 95 % interval is beyond it, and
        beyond what a side with a shut A/A gate differs from itself.
        "held" when the interval lies below, "undecided" when the share is inside.
        """
        change = row.change
        if row.comparison is None or change is None or change.low is None or change.high is None:
            return "undecided"
        if change.level < LEVEL:  # so few runs give no interval of 95 %
            return "undecided"
        if change.high <= self.share:
            return "held"
        sure = row.comparison.p <= 1 - LEVEL and change.low > self.share and not row.is_drowned
        return "regressed" if sure else "undecided"


@dataclass(frozen=True)
class Finding:
    """What a threshold says of a row; without a row, of what the new run has not measured."""

    threshold: Threshold | None
    row: Row | None
    outcome: Outcome
    text: str


def parse(text: str) -> Threshold:
    """Return the threshold that METRIC:PCT or SCENARIO/METRIC:PCT means; BenchFault of kind `usage`."""
    name, _, number = text.strip().rpartition(":")
    scenario, _, metric = name.rpartition("/")
    try:
        percent = float(number.removesuffix("%"))
    except ValueError:
        percent = math.nan
    if not metric or not math.isfinite(percent) or percent < 0:
        raise BenchFault(f"--fail-on {text!r} is not METRIC:PCT", hint=EXAMPLE, kind="usage")
    return Threshold(scenario, metric, percent / 100)


def check(thresholds: Iterable[Threshold], known: Iterable[tuple[str, str]]) -> None:
    """Refuse a threshold for a metric that is not among the `known` (scenario, metric); kind `usage`."""
    pairs = list(dict.fromkeys(known))
    for each in thresholds:
        if not any(metric == each.metric and each.scenario in {"", scenario} for scenario, metric in pairs):
            names = ", ".join(dict.fromkeys(f"{scenario}/{metric}" for scenario, metric in pairs))
            raise BenchFault(
                f"--fail-on {each.label}: there is no such metric here",
                hint=f"there are: {names}" if names else "nothing was measured",
                kind="usage",
            )


def judge(report: Report, thresholds: Sequence[Threshold]) -> list[Finding]:
    """Return what the thresholds say of a report; without any, what is confirmed worse has regressed.

    Raises BenchFault of kind `usage` for a threshold that speaks of nothing in it: it would hold for ever.
    """
    if not thresholds:
        return [_by_verdict(row) for row in report.rows] + _absent(report, None)
    return [finding for threshold in thresholds for finding in _about(report, threshold)]


def _about(report: Report, threshold: Threshold) -> list[Finding]:
    found = [_by_threshold(threshold, row) for row in report.rows if threshold.covers(row)]
    found += _absent(report, threshold)
    if not found:
        rows = ", ".join(dict.fromkeys(f"{row.scenario}/{row.metric}" for row in report.rows))
        raise BenchFault(
            f"--fail-on {threshold.label} speaks of nothing that is compared here",
            hint=f"compared are: {rows}",
            kind="usage",
        )
    return found


def exit_code(findings: Iterable[Finding], *, strict: bool) -> int:
    """Return 1 for a confirmed regression, 4 when something is undecided and `strict`, else 0."""
    outcomes = {finding.outcome for finding in findings}
    if "regressed" in outcomes:
        return 1
    return 4 if strict and "undecided" in outcomes else 0


def _by_verdict(row: Row) -> Finding:
    outcome: Outcome = "regressed" if row.worse else "undecided" if row.verdict == "inconclusive" else "held"
    return Finding(None, row, outcome, f"{_where(row)} is {row.verdict}{_by(row)}")


def _by_threshold(threshold: Threshold, row: Row) -> Finding:
    outcome = threshold.judge(row)
    limit = f"{threshold.share * 100:g} %"
    words = {
        "regressed": f"is worse by more than {limit}",
        "held": f"is not worse by more than {limit}",
        "undecided": f"may or may not be worse by more than {limit}",
    }
    return Finding(threshold, row, outcome, f"{_where(row)} {words[outcome]}{_by(row)}")


def _absent(report: Report, threshold: Threshold | None) -> list[Finding]:
    """Return what one side alone has measured: without thresholds, what the new run lacks."""
    sides = {"the base": report.only_base, "the new run": report.only_new if threshold else ()}
    return [
        Finding(threshold, None, "undecided", f"{name} was measured in {side} only")
        for side, names in sides.items()
        for name in names
        if threshold is None or _names(threshold, name)
    ]


def _names(threshold: Threshold, name: str) -> bool:
    scenario, metric = name.partition("/")[0], name.rpartition("/")[2]  # an imported target may have some
    return metric == threshold.metric and threshold.scenario in {"", scenario}


def _where(row: Row) -> str:
    return f"{row.scenario} {row.target} {row.label}"


def _by(row: Row) -> str:
    change = row.change
    if change is None:
        return f": {row.why}"
    if change.low is None or change.high is None:
        return f": {change.value:+.1%}, too few runs for an interval"
    level = "" if change.level >= LEVEL else f", level {change.level:.0%} only"
    return f": {change.value:+.1%} ({change.low:+.1%} to {change.high:+.1%}{level})"
