"""How likely luck alone is to divide the runs into two groups as different as these."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PERMUTATIONS = 9999
EXACT = 20_000  # so many divisions are all tried rather than drawn: up to 8 runs a group
_ROUNDING = 1e-9


def p_value(
    first: Sequence[float], second: Sequence[float], *, seed: int = 0, permutations: int = PERMUTATIONS
) -> float:
    """Return the two-sided p of a permutation test on the sum of ranks (ties share their mean rank).

    All divisions of the pooled values are tried when they are few, else `permutations` drawn ones, of which
    the observed one is counted as one more (Phipson and Smyth 2010, "Permutation p-values should never be
    zero", SAGMB 9). It asks what `cliffs_delta` measures: whether one group tends to be larger. Exact under
    the hypothesis that all runs come from one distribution, of any shape. ValueError for an empty group.
    """
    if not first or not second:
        raise ValueError("a group has no values")
    pooled = [*first, *second]
    scores = [rank - (len(pooled) + 1) / 2 for rank in mean_ranks(pooled)]
    observed = abs(sum(scores[: len(first)]))
    if math.comb(len(scores), len(first)) <= EXACT:
        sums = [abs(sum(chosen)) for chosen in combinations(scores, len(first))]
        return sum(value >= observed - _ROUNDING for value in sums) / len(sums)
    extreme = _drawn(scores, len(first), observed, seed, permutations)
    return (extreme + 1) / (permutations + 1)


def mean_ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value, from 1 on; ties share the mean of theirs."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values), 1):
        places.setdefault(value, []).append(place)
    return [(places[value][0] + places[value][-1]) / 2 for value in values]


def _drawn(scores: list[float], size: int, observed: float, seed: int, permutations: int) -> int:
    import numpy as np  # noqa: PLC0415 - never loaded where something is measured

    rows: Any = np.tile(np.asarray(scores), (permutations, 1))
    shuffled = np.random.default_rng(seed).permuted(rows, axis=1)
    return int((abs(shuffled[:, :size].sum(axis=1)) >= observed - _ROUNDING).sum())
