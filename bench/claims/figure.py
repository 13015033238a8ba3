"""From a run to the figure that a rule speaks of, with its interval."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from bench.claims.definition import Always, AtLeast, AtMost, Equivalent, Independent
from bench.stats.comparison import compare
from bench.stats.estimate import LEVEL, Estimate
from bench.stats.line import FEWEST_ROUNDS
from bench.stats.location import median
from bench.stats.pairing import match
from bench.stats.ratio import ratio
from bench.stats.summary import counted, fits
from bench.stats.tail import percentile

if TYPE_CHECKING:
    from bench.claims.definition import Of, Part, Rule
    from bench.results import Measurement, Run

P95 = 0.95


@dataclass(frozen=True)
class Figure:
    """What a rule decides on. `of` says what it is; `level` is the confidence of the decision.

    `strict` is the interval by which an equivalence is refuted: that of the ratio at a level which counts all
    parts of the claim (Bonferroni). `estimate` is then that of two one-sided tests. `n` are counted runs, or
    the rounds of a slope, not their points.
    """

    of: Of | Literal["share"]
    estimate: Estimate
    unit: str
    n: int
    strict: Estimate | None = None


def used(part: Part, run: Run) -> list[Measurement]:
    """Return the measurements that a part rests on: for a slope, those of every n; for a fact, of all."""
    return [
        m
        for m in run.measurements
        if (m.scenario, m.metric) == (part.scenario, part.metric)
        and m.target in part.targets
        and _fits(part, m)
    ]


def _fits(part: Part, m: Measurement) -> bool:
    other = part.baseline_params if m.target == part.baseline else None
    params = part.params if other is None else other
    if isinstance(part.rule, Always):
        return params.items() <= m.params.items()
    # A slope is over every n; who names one means that.
    return {name: value for name, value in m.params.items() if name != part.over or name in params} == params


def occasions(part: Part, run: Run) -> int:
    """Return on how many occasions a fact was looked at: the fewest of any of its measurements."""
    return min((len(m.samples) for m in used(part, run)), default=0)


def figure(part: Part, run: Run, *, fast: bool, family: int = 1) -> Figure | None:
    """Return the figure of a part; None with too few runs for any. `family`: parts of the claim."""
    known = used(part, run)
    own = [m for m in known if m.target == part.target]
    if isinstance(part.rule, Always):
        return _fact(part.rule, own)
    values = [sample.value for m in own for sample in counted(m)]
    of = kind(part.rule, fast=fast)
    if not values:
        return None
    if of == "ratio":
        return _ratio(part, known, family)
    if of == "slope":
        return _slope(part, run, own)
    estimate = median(values) if of == "median" else percentile(values, P95)
    return Figure(of, estimate, own[0].unit, len(values)) if estimate else None


def kind(rule: Rule | None, *, fast: bool) -> Of | Literal["share"]:
    """Return what the rule speaks of."""
    if isinstance(rule, Always):
        return "share"
    if isinstance(rule, Equivalent):
        return "ratio"
    if isinstance(rule, AtMost | AtLeast):
        return (fast and rule.fast_of) or rule.of
    assert isinstance(rule, Independent)  # noqa: S101 - a part with a scenario has a rule
    return "slope"


def _fact(rule: Always, own: list[Measurement]) -> Figure | None:
    """Return the share of samples at which a fact holds; what disturbs a time does not disturb a fact."""
    samples = [sample for m in own for sample in m.samples]
    if not samples:
        return None
    share = sum(sample.value == rule.value for sample in samples) / len(samples)
    return Figure("share", Estimate(share, share, share, 1.0, len(samples), "none"), "1", len(samples))


def _slope(part: Part, run: Run, own: list[Measurement]) -> Figure | None:
    """Return the slope; from few rounds without an interval, since the points of one are no runs apart."""
    for one in fits(run, part.over):
        if (one.scenario, one.target, one.metric) != (part.scenario, part.target, part.metric):
            continue
        if one.params == part.params:
            slope, rounds = one.line.slope, one.line.rounds
            if rounds < FEWEST_ROUNDS:
                slope = replace(slope, low=None, high=None, level=0.0, method="none")
            return Figure("slope", slope, own[0].unit, rounds)
    return None


def _ratio(part: Part, known: list[Measurement], family: int) -> Figure | None:
    sides = {m.target: counted(m) for m in known}
    both = match(sides.get(part.target, ()), sides.get(part.baseline, ()))
    plain = ratio(both.first, both.second, paired=both.paired)
    if plain is None:
        return None
    if not isinstance(part.rule, Equivalent):
        return Figure("ratio", plain, "1", plain.n)
    tests = compare(both.first, both.second, margin=part.rule.margin, paired=both.paired)
    strict = ratio(both.first, both.second, level=1 - (1 - LEVEL) / family, paired=both.paired)
    return Figure("ratio", tests.equivalence, "1", plain.n, strict) if tests else None
