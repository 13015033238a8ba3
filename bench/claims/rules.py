"""Decision rules: an interval wholly on one side decides, one that reaches over the boundary does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bench.claims.definition import Always, AtLeast, AtMost, Equivalent

if TYPE_CHECKING:
    from bench.claims.definition import Rule
    from bench.claims.figure import Figure

Outcome = Literal["supported", "refuted", "undecided", "beyond"]
"""`beyond`: a gain larger than the margin, where there can be none."""


def decide(rule: Rule, figure: Figure) -> Outcome:
    """Apply a rule to a figure with an interval; ValueError for one without."""
    low, high = figure.estimate.low, figure.estimate.high
    if low is None or high is None:
        raise ValueError("there is no interval to decide on")
    if isinstance(rule, Always):
        return _side(holds=low >= 1, fails=low < 1)
    if isinstance(rule, AtMost | AtLeast):
        return _one_sided(rule, low, high)
    if isinstance(rule, Equivalent):
        return _equivalent(rule, figure, low, high)
    inside, beyond = -rule.margin <= low and high <= rule.margin, low > rule.margin or high < -rule.margin
    return _side(holds=inside, fails=beyond)


def _one_sided(rule: AtMost | AtLeast, low: float, high: float) -> Outcome:
    room = rule.room * (high - low)
    below, above = high + room <= rule.limit, low - room >= rule.limit
    if isinstance(rule, AtMost):
        return _side(holds=below, fails=above and low > rule.limit)
    return _side(holds=above, fails=below and high < rule.limit)


def boundary(rule: Rule) -> tuple[float, ...]:
    """Return where the verdict flips, in the unit of the figure."""
    if isinstance(rule, AtMost | AtLeast):
        return (rule.limit,)
    if isinstance(rule, Always):
        return (1.0,)
    if isinstance(rule, Equivalent):
        return 1 / (1 + rule.margin), 1 + rule.margin
    return -rule.margin, rule.margin


def _equivalent(rule: Equivalent, figure: Figure, low: float, high: float) -> Outcome:
    least, most = boundary(rule)
    room = rule.room * (high - low)
    if least + room < low and high + room < most:
        return "supported"
    strict = figure.strict
    if strict is None or strict.low is None or strict.high is None:
        return "undecided"
    room = rule.room * (strict.high - strict.low)
    if strict.high + room <= least:
        return "refuted"
    return "beyond" if strict.low - room >= most else "undecided"


def jointly(rule: Rule, figure: Figure) -> tuple[float, float] | None:
    """Return what keeps an equivalence undecided whose own interval is beyond a limit: None for any other.

    It is the interval at the level which counts all parts of the claim.
    """
    low, high, strict = figure.estimate.low, figure.estimate.high, figure.strict
    if not isinstance(rule, Equivalent) or low is None or high is None:
        return None
    if strict is None or strict.low is None or strict.high is None:
        return None
    least, most = boundary(rule)
    return (strict.low, strict.high) if high < least or low > most else None


def _side(*, holds: bool, fails: bool) -> Outcome:
    if holds:
        return "supported"
    return "refuted" if fails else "undecided"
