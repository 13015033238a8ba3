"""How many times larger one thing is than another."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from bench.stats.estimate import LEVEL, Estimate
from bench.stats.location import FEWEST, FEWEST_INTERPOLATED, interpolated_interval, order_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDENING = 1.2
"""By how much each median's own interval may miss more often than the quotient's: two order statistics are a
little too careful together. With it the 95 % interval covers 93.7 to 97.1 % in simulations of normal,
log-normal, exponential and bimodal data, equally and unequally spread, at every n from 6 to 50."""


def ratio(above: Sequence[float], below: Sequence[float], *, level: float = LEVEL) -> Estimate | None:
    """Estimate median(above) / median(below), unit 1, of two independent groups of positive values.

    From 6 values a group on: the interval recovered from those of the two medians on the logarithmic scale
    (MOVER; Donner and Zou 2012, "Closed-form confidence intervals for functions of the normal mean and
    standard deviation", Statistical Methods in Medical Research 21), which a bootstrap of medians is not
    better than for one hump, and covers 91 to 94 % for two. With 3 to 5, the quotients of the two exact
    intervals; their joint level is at least a + b - 1 (Bonferroni). `n` is the smaller group. None when a
    group is empty or holds a value that is not positive: a quotient says nothing then.
    """
    if not above or not below or min(above) <= 0 or min(below) <= 0:
        return None
    n = min(len(above), len(below))
    value = statistics.median(above) / statistics.median(below)
    if n < FEWEST:
        return Estimate(value, None, None, 0.0, n, "none")
    if n < FEWEST_INTERPOLATED:
        return _from_orders(above, below, value, n)
    low, high = _recovered(above, below, 1 - (1 - level) * WIDENING)
    return Estimate(value, value * low, value * high, level, n, "variance recovery")


def _recovered(above: Sequence[float], below: Sequence[float], each: float) -> tuple[float, float]:
    """Return the interval's ends as quotients of the estimate."""
    up_low, up_high = _reach(above, each)
    down_low, down_high = _reach(below, each)
    return math.exp(-math.hypot(up_low, down_high)), math.exp(math.hypot(up_high, down_low))


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
