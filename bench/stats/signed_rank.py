"""How likely luck alone is to set the two sides of the rounds as far apart as these."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bench.stats.permutation import mean_ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

PERMUTATIONS = 9999
EXACT = 14  # pairs: all 2**14 assignments are tried rather than drawn
_ROUNDING = 1e-9


def paired_p_value(
    first: Sequence[float], second: Sequence[float], *, seed: int = 0, permutations: int = PERMUTATIONS
) -> float:
    """Return the two-sided p of a permutation test within rounds; first[i] and second[i] are one round's.

    The statistic is Wilcoxon's sum of signed ranks, of the logarithms of the quotients where all values are
    positive, else of the differences. Only which of the two was which within its round is permuted, as the
    schedule has drawn it: so what drifts from round to round cancels, and the test is exact whatever the
    host does slowly (Fisher 1935, "The Design of Experiments", section 21). Few rounds: all assignments;
    else `permutations` drawn ones, of which the observed one is counted as one more. ValueError for no pairs.
    """
    if not first or len(first) != len(second):
        raise ValueError("pairs have two values each")
    import numpy as np  # noqa: PLC0415 - never loaded where something is measured

    ranks: Any = np.asarray(_signed_ranks(_distances(first, second)))
    observed, n = abs(float(ranks.sum())), len(ranks)
    if n <= EXACT:
        numbers = np.arange(2**n)[:, None] >> np.arange(n)[None, :] & 1
        sums = abs((2.0 * numbers - 1) @ abs(ranks))
        return float((sums >= observed - _ROUNDING).mean())
    flips = np.random.default_rng(seed).integers(0, 2, (permutations, n), dtype=np.int8)
    sums = abs((2.0 * flips - 1) @ abs(ranks))
    return (int((sums >= observed - _ROUNDING).sum()) + 1) / (permutations + 1)


def _distances(first: Sequence[float], second: Sequence[float]) -> list[float]:
    if min(*first, *second) > 0:
        return [math.log(a / b) for a, b in zip(first, second, strict=True)]
    return [a - b for a, b in zip(first, second, strict=True)]


def _signed_ranks(distances: Sequence[float]) -> list[float]:
    """Rank by size, ties sharing their mean rank; equal pairs are ranked and count nothing (Pratt 1959)."""
    ranks = mean_ranks([abs(distance) for distance in distances])
    return [math.copysign(rank, d) if d else 0.0 for rank, d in zip(ranks, distances, strict=True)]
