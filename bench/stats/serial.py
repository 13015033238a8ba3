"""Whether runs resemble the runs just before them: then they tell less than as many independent ones."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from bench.stats.permutation import mean_ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 12
"""Runs below which nothing is said: the normal approximation needs ten."""


@dataclass(frozen=True)
class Resemblance:
    """`correlation` is that of each run's rank with the next one's, `p` one-sided that luck alone does it."""

    correlation: float
    p: float

    @property
    def widening(self) -> float:
        """By which factor an interval for independent runs is too narrow, if the likeness fades evenly.

        The effective number of runs of a first-order autoregressive series (Bayley and Hammersley 1946, "The
        'effective' number of independent observations in an autocorrelated time series", JRSS Supplement 8).
        """
        known = min(max(self.correlation, 0.0), 0.99)
        return math.sqrt((1 + known) / (1 - known))


def resemblance(values: Sequence[float]) -> Resemblance | None:
    """Test values in the order in which they were taken; None of fewer than `FEWEST`, or where all are equal.

    The rank version of von Neumann's ratio, with its exact variance (Bartels 1982, "The rank version of von
    Neumann's ratio test for randomness", JASA 77): no distribution is assumed, and no outlier rules.
    """
    n = len(values)
    if n < FEWEST or min(values) == max(values):
        return None
    ranks = mean_ranks(values)
    middle = statistics.fmean(ranks)
    spread = sum((rank - middle) ** 2 for rank in ranks)
    ratio = sum((a - b) ** 2 for a, b in pairwise(ranks)) / spread
    variance = 4 * (n - 2) * (5 * n * n - 2 * n - 9) / (5 * n * (n + 1) * (n - 1) ** 2)
    return Resemblance(1 - ratio / 2, statistics.NormalDist(2, math.sqrt(variance)).cdf(ratio))
