"""How many times larger one thing is than another."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from bench.stats.estimate import LEVEL, Estimate
from bench.stats.location import FEWEST, FEWEST_INTERPOLATED, interpolated_interval, order_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.stats.estimate import Method


WIDENING = 1.3
"""By how much each median's own interval may miss more often than the quotient's: two order statistics are a
little too careful together. With it the 95 % interval covers 93 to 97 % of normal, log-normal, exponential
and bimodal data, equally and unequally spread, and while the host drifts (`nox -s calibrate`)."""
MOST_SHARED = 0.95
"""Correlation that a few pairs may claim at most; with 1 the interval would vanish."""


def ratio(
    above: Sequence[float], below: Sequence[float], *, level: float = LEVEL, paired: bool = False
) -> Estimate | None:
    """Estimate median(above) / median(below), unit 1, of two groups of positive values.

    From 6 values a group on: the interval recovered from those of the two medians on the logarithmic scale
    (MOVER; Donner and Zou 2012, "Closed-form confidence intervals for functions of the normal mean and
    standard deviation", Statistical Methods in Medical Research 21). With 3 to 5, the quotients of the two
    exact intervals; their joint level is at least a + b - 1 (Bonferroni). `n` is the smaller group.

    `paired` says that above[i] and below[i] were taken in the same round, so that what the host did then hit
    both: their correlation narrows the interval (Zou 2007, "Toward using confidence intervals to compare
    correlations", Psychological Methods 12). Otherwise the groups count as independent. None when a group is
    empty or holds a value that is not positive: a quotient says nothing then. ValueError for pairs that are
    not as many on both sides.
    """
    if paired and len(above) != len(below):
        raise ValueError("pairs have two values each")
    if not above or not below or min(above) <= 0 or min(below) <= 0:
        return None
    n = min(len(above), len(below))
    value = statistics.median(above) / statistics.median(below)
    if n < FEWEST:
        return Estimate(value, None, None, 0.0, n, "none")
    if n < FEWEST_INTERPOLATED:
        return _from_orders(above, below, value, n)
    shared = _agreement(above, below) if paired else 0.0
    low, high = _recovered(above, below, 1 - (1 - level) * WIDENING, shared)
    method: Method = "paired variance recovery" if paired else "variance recovery"
    return Estimate(value, value * low, value * high, level, n, method)


def _agreement(above: Sequence[float], below: Sequence[float]) -> float:
    """Correlation of the two medians: that of being above the median (quadrant correlation, Blomqvist 1950).

    The influence of a value on the median is the sign of its distance, so this is what they share.
    """
    signs = [_signs(above), _signs(below)]
    size = math.prod(sum(map(abs, side)) for side in signs)
    found = sum(a * b for a, b in zip(*signs, strict=True)) / math.sqrt(size) if size else 0.0
    return max(-MOST_SHARED, min(MOST_SHARED, found))


def _signs(values: Sequence[float]) -> list[int]:
    middle = statistics.median(values)
    return [(value > middle) - (value < middle) for value in values]


def _recovered(
    above: Sequence[float], below: Sequence[float], each: float, shared: float
) -> tuple[float, float]:
    """Return the interval's ends as quotients of the estimate."""
    up_low, up_high = _reach(above, each)
    down_low, down_high = _reach(below, each)
    return math.exp(-_joined(up_low, down_high, shared)), math.exp(_joined(up_high, down_low, shared))


def _joined(first: float, second: float, shared: float) -> float:
    return math.sqrt(first**2 + second**2 - 2 * shared * first * second)


def _reach(values: Sequence[float], level: float) -> tuple[float, float]:
    """How far the interval for the median reaches down and up from it, as logarithms."""
    low, high = interpolated_interval(values, level)
    middle = statistics.median(values)
    return math.log(middle / low), math.log(high / middle)


def _from_orders(above: Sequence[float], below: Sequence[float], value: float, n: int) -> Estimate:
    each = 1 - (1 - LEVEL) / 2
    high_low, high_high, high_level = order_interval(above, each)
    low_low, low_high, low_level = order_interval(below, each)
    level = min(LEVEL, high_level + low_level - 1)
    return Estimate(value, high_low / low_high, high_high / low_low, level, n, "order statistics")
