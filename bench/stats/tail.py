"""Percentiles, when there are enough runs for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.stats.estimate import LEVEL, Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence


def fewest(share: float, level: float = LEVEL) -> int:
    """Return how many runs the percentile `share` (0.95 for p95) needs for a two-sided interval.

    From so many on, the largest value lies above it with enough confidence: p95 needs 72, p99 367.
    """
    return math.ceil(math.log((1 - level) / 2) / math.log(max(share, 1 - share)))


def percentile(values: Sequence[float], share: float, level: float = LEVEL) -> Estimate | None:
    """Estimate the percentile `share` with its interval, of any distribution; None with too few runs.

    The value is that of `quantile`; the ends are order
    statistics whose ranks leave at most (1 - level) / 2 on each side (Hahn and Meeker 1991, section 5.2).
    """
    n = len(values)
    if n < fewest(share, level):
        return None
    ordered, value = sorted(values), quantile(values, share)
    first, last = _ranks(n, share, (1 - level) / 2)
    return Estimate(value, ordered[first - 1], ordered[last - 1], level, n, "order statistics")


def quantile(values: Sequence[float], share: float) -> float:
    """Return the quantile `share` of at least one value: Hyndman and Fan 1996, definition 7."""
    ordered, place = sorted(values), (len(values) - 1) * share
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _ranks(n: int, share: float, each: float) -> tuple[int, int]:
    """Largest rank that is above the percentile with probability `each` at most, and the mirror of it."""
    first, last, below = 1, n, 0.0
    for k in range(n + 1):  # k values lie below the percentile
        below += math.exp(
            math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
            + k * math.log(share) + (n - k) * math.log(1 - share)
        )  # fmt: skip
        if below <= each:
            first = k + 1
        if below >= 1 - each:
            last = k + 1
            break
    return max(1, first), min(n, last)
