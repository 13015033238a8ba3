"""How often one group is larger than the other, whatever their shape."""

from __future__ import annotations

import bisect
import math
import statistics
from typing import TYPE_CHECKING

from bench.stats.estimate import LEVEL, Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST = 3


def cliffs_delta(first: Sequence[float], second: Sequence[float], *, level: float = LEVEL) -> Estimate:
    """Estimate P(first > second) - P(first < second): 1 when all of first are larger, 0 without a tendency.

    Interval: asymmetric, from the consistent estimate of the variance (Feng and Cliff 2004, "Monte Carlo
    evaluation of ordinal d with improved confidence interval", JMASM 3). Where the groups do not overlap the
    variance is estimated as 0; then one more pair of the other order is imagined (Feng 2007). None below 3
    values a group. ValueError for an empty group.
    """
    if not first or not second:
        raise ValueError("a group has no values")
    ordered, other = sorted(second), sorted(first)
    rows = [_dominance(value, ordered) for value in first]
    columns = [-_dominance(value, other) for value in second]
    delta, n = statistics.fmean(rows), min(len(first), len(second))
    if n < _FEWEST:
        return Estimate(delta, None, None, 0.0, n, "none")
    return Estimate(delta, *_interval(delta, rows, columns, level), level, n, "ordinal dominance")


def _dominance(value: float, ordered: Sequence[float]) -> float:
    """Share of `ordered` below `value` less the share above."""
    below, upto = bisect.bisect_left(ordered, value), bisect.bisect_right(ordered, value)
    return (below - (len(ordered) - upto)) / len(ordered)


def _interval(
    delta: float, rows: Sequence[float], columns: Sequence[float], level: float
) -> tuple[float, float]:
    n, m, value = len(rows), len(columns), delta
    if abs(delta) == 1:
        delta = math.copysign(1 - 2 / (n * m), delta)
        variance = (1 - delta**2) / min(n, m)
    else:
        variance = statistics.variance(rows) / n + statistics.variance(columns) / m
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    spread = z * math.sqrt(variance) * math.sqrt((1 - delta**2) ** 2 + z**2 * variance)
    centre, scale = delta - delta**3, 1 - delta**2 + z**2 * variance
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return max(-1.0, min(low, value)), min(1.0, max(high, value))
