"""Where in a history of figures something changed for good."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PERMUTATIONS = 499
LEVEL = 0.01
FEWEST = 3  # values on either side: one that is odd is no change, and a change has to be confirmed
LONGEST = 1000  # values; the matrix of distances grows with the square


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

    A piece is divided where the energy distance between the two sides is greatest, if no more than a share
    `level` of its permutations divide as well; then both sides are looked at, until none can be. Nothing is
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
        split, p = _split(np.asarray(values[start:end], dtype=float), rng, permutations, fewest)
        if split and p <= level:
            found.append((start + split, p))
            pieces += [(start, start + split), (start + split, end)]
    return _described(values, sorted(found))


def _described(values: Sequence[float], found: list[tuple[int, float]]) -> list[Change]:
    edges = [0, *(index for index, _ in found), len(values)]
    middles = [statistics.median(values[a:b]) for a, b in pairwise(edges) if b > a]
    return [Change(index, middles[i], middles[i + 1], p) for i, (index, p) in enumerate(found)]


def _split(values: Any, rng: Any, permutations: int, fewest: int) -> tuple[int, float]:  # noqa: ANN401 - numpy
    """Return where to divide best (0: nowhere), and the p of that division."""
    if len(values) < 2 * fewest:
        return 0, 1.0
    distances = abs(values[:, None] - values[None, :])
    observed, split = _greatest(distances, fewest)
    if observed <= 0:
        return 0, 1.0
    as_good = 0
    for _ in range(permutations):
        order = rng.permutation(len(values))
        as_good += _greatest(distances[order][:, order], fewest)[0] >= observed
    return split, (as_good + 1) / (permutations + 1)


def _greatest(distances: Any, fewest: int) -> tuple[float, int]:  # noqa: ANN401 - numpy
    """Return the greatest scaled energy distance over all divisions, and where that is.

    The right side may end early, so that a change that is taken back later does not hide.
    """
    import numpy as np  # noqa: PLC0415

    n = len(distances)
    total = np.zeros((n + 1, n + 1))
    total[1:, 1:] = distances.cumsum(axis=0).cumsum(axis=1)
    inside = total.diagonal()  # of the first k values
    split, end = np.meshgrid(np.arange(fewest, n - fewest + 1), np.arange(2 * fewest, n + 1), indexing="ij")
    left, right = split.astype(float), (end - split).astype(float)
    usable = right >= fewest
    right = np.where(usable, right, 2.0)
    across = total[split, end] - inside[split]
    beyond = inside[end] - 2 * total[split, end] + inside[split]
    apart = 2 * across / (left * right)
    apart -= inside[split] / (left * (left - 1)) + beyond / (right * (right - 1))
    scaled = np.where(usable, apart * left * right / (left + right), -np.inf)
    best = int(scaled.argmax())
    return float(scaled.flat[best]), int(split.flat[best])
