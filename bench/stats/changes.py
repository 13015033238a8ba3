"""Where in a history of figures something changed for good."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench.stats.permutation import mean_ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

PERMUTATIONS = 999
LEVEL = 0.025
PASSING = 0.2  # the share of the level that is spent on changes that are taken back
BOUNDARIES = 40  # between which a piece that stands out is looked for; all of them in a short history
FEWEST = 3  # values on either side: one that is odd is no change, and a change has to be confirmed
LONGEST = 1000  # values
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Change:
    """From `index` on the figures are others: `ratio` is the median of the piece after over that before.

    `p` is that of the permutation test within the piece that was divided there.
    """

    index: int
    before: float
    after: float
    p: float

    @property
    def ratio(self) -> float:
        """How many times larger the figures are than before."""
        return self.after / self.before if self.before else float("inf")


def changes(
    values: Sequence[float],
    *,
    level: float = LEVEL,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    fewest: int = FEWEST,
) -> list[Change]:
    """Find the change points of a history, oldest first, by E-divisive (Matteson and James 2014, JASA 109).

    A piece is divided where the two sides are farthest apart, if no more than a share of its permutations
    divide as well; then both sides are looked at, until none can be. What is taken back later may hide from
    that, so a middle that stands out from what is around it is looked for too (Olshen et al. 2004, "Circular
    binary segmentation", Biostatistics 5). In a history without a change the chance of any is `level`. Far
    apart is the energy distance of exponent 2, which speaks of location alone and which sums of the values
    give at once; it is taken of normal scores (van der Waerden 1952), so that no outlier rules and nothing is
    assumed of the distribution. Each change has at least `fewest` values on either side. ValueError for more
    than `LONGEST` values.
    """
    if len(values) > LONGEST:
        raise ValueError(f"a history of more than {LONGEST} values: look at a part of it")
    import numpy as np  # noqa: PLC0415 - never loaded where something is measured

    rng = np.random.default_rng(seed)
    found: list[tuple[int, float]] = []
    pieces = [(0, len(values))]
    while pieces:
        start, end = pieces.pop()
        if end - start < 2 * fewest or min(values[start:end]) == max(values[start:end]):
            continue
        scores = _normal_scores(values[start:end])
        rows = np.vstack([scores, rng.permuted(np.tile(scores, (permutations, 1)), axis=1)])
        edges, p = _split(rows, fewest)
        if p > level * (1 - PASSING):
            edges, p = _passing(rows, fewest)
            if p > level * PASSING:
                continue
        found += [(start + edge, p) for edge in edges]
        pieces += pairwise([start, *(start + edge for edge in edges), end])
    return _described(values, sorted(found))


def _described(values: Sequence[float], found: list[tuple[int, float]]) -> list[Change]:
    edges = [0, *(index for index, _ in found), len(values)]
    middles = [statistics.median(values[a:b]) for a, b in pairwise(edges) if b > a]
    return [Change(index, middles[i], middles[i + 1], p) for i, (index, p) in enumerate(found)]


def _split(rows: Any, fewest: int) -> tuple[list[int], float]:  # noqa: ANN401 - numpy
    """Return where to divide best, and the p of that division; the first row is the observed order.

    Of exponent 2 the energy distance is the squared difference of the means, and times n m / (n + m), for
    values whose sum is 0, that is the squared sum of the left side times (n + m) / (n m).
    """
    import numpy as np  # noqa: PLC0415

    n = rows.shape[1]
    left = np.arange(fewest, n - fewest + 1)
    apart = rows.cumsum(axis=1)[:, left - 1] ** 2 * n / (left * (n - left))
    return [int(left[apart[0].argmax()])], _rarity(apart.max(axis=1))


def _passing(rows: Any, fewest: int) -> tuple[list[int], float]:  # noqa: ANN401 - numpy
    """Return both ends of the middle that stands out most from what is around it, and its p."""
    import numpy as np  # noqa: PLC0415

    n = rows.shape[1]
    places = np.unique(np.linspace(fewest, n - fewest, BOUNDARIES).astype(int))
    first, last = (side.ravel() for side in np.meshgrid(places, places, indexing="ij"))
    usable = last - first >= fewest
    first, last = first[usable], last[usable]
    if not len(first):
        return [], 1.0
    sums, inside = rows.cumsum(axis=1), last - first
    apart = (sums[:, last - 1] - sums[:, first - 1]) ** 2 * n / (inside * (n - inside))
    best = int(apart[0].argmax())
    edges = _sharpened(sums[0], int(first[best]), int(last[best]), fewest)
    return edges, _rarity(apart.max(axis=1))


def _sharpened(sums: Any, first: int, last: int, fewest: int) -> list[int]:  # noqa: ANN401 - numpy
    """Move each end to the best place between the boundaries, the other being where it is."""

    def apart(start: int, end: int) -> float:
        inside, n = end - start, len(sums)
        if inside < fewest:
            return -1.0
        return float((sums[end - 1] - sums[start - 1]) ** 2) / (inside * (n - inside))

    reach = -(-len(sums) // BOUNDARIES)
    starts = range(max(fewest, first - reach), first + reach + 1)
    start = max(starts, key=lambda place: apart(place, last))
    ends = range(last - reach, min(len(sums) - fewest, last + reach) + 1)
    return [start, max(ends, key=lambda place: apart(start, place))]


def _rarity(greatest: Any) -> float:  # noqa: ANN401 - numpy
    """Return which share of all orders is as far apart as the observed one, which is the first."""
    return float((greatest >= greatest[0] - _ROUNDING).mean())


def _normal_scores(values: Sequence[float]) -> list[float]:
    """Return the quantiles of the normal distribution that belong to the ranks (Blom 1958), mean 0."""
    normal, n = statistics.NormalDist(), len(values)
    scores = [normal.inv_cdf((rank - 0.375) / (n + 0.25)) for rank in mean_ranks(values)]
    middle = statistics.fmean(scores)
    return [score - middle for score in scores]
