"""How many times larger one thing is than another."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from bench.stats.estimate import LEVEL, RESAMPLES, Estimate
from bench.stats.location import FEWEST, bca, order_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_BOOTSTRAP = 6  # two groups smooth the quotient: simulated coverage is 94 to 96 % from here on


def ratio(
    above: Sequence[float], below: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate | None:
    """Estimate median(above) / median(below), unit 1, of two independent groups of positive values.

    Two-sample BCa bootstrap (Efron and Tibshirani 1993, sections 8.3 and 14.3) when both have at least 6
    values. With 3 to 5, the quotients of the two exact intervals for the medians; their joint level is at
    least a + b - 1 (Bonferroni). `n` is the smaller group. None when a group is empty or holds a value
    that is not positive: a quotient says nothing then.
    """
    if not above or not below or min(above) <= 0 or min(below) <= 0:
        return None
    n = min(len(above), len(below))
    value = statistics.median(above) / statistics.median(below)
    if n < FEWEST:
        return Estimate(value, None, None, 0.0, n, "none")
    if n >= FEWEST_BOOTSTRAP:
        interval = bca((above, below), _ratio_of_medians, seed=seed, resamples=resamples)
        if interval is not None:
            return Estimate(value, *interval, LEVEL, n, "BCa bootstrap")
    return _from_orders(above, below, value, n)


def _from_orders(above: Sequence[float], below: Sequence[float], value: float, n: int) -> Estimate:
    each = 1 - (1 - LEVEL) / 2
    high_low, high_high, high_level = order_interval(above, each)
    low_low, low_high, low_level = order_interval(below, each)
    level = min(LEVEL, high_level + low_level - 1)
    return Estimate(value, high_low / low_high, high_high / low_low, level, n, "order statistics")


def _ratio_of_medians(above: Any, below: Any, axis: int = -1) -> Any:  # noqa: ANN401 - numpy arrays
    import numpy as np  # noqa: PLC0415

    return np.median(above, axis=axis) / np.median(below, axis=axis)
