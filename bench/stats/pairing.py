"""Which values of two measurements of one run belong together: those of one round of the schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.results import Sample

SHARED = 0.5
"""Share of the larger group that has to have a partner: with less, what is left out is worth more."""


@dataclass(frozen=True)
class Matched:
    """Two groups of values; `paired` when first[i] and second[i] are of one round."""

    first: list[float]
    second: list[float]
    paired: bool


def match(first: Iterable[Sample], second: Iterable[Sample]) -> Matched:
    """Pair the samples of two targets by round; all values, unpaired, where too few rounds have both."""
    one, other = ({sample.round: sample.value for sample in group} for group in (first, second))
    both = sorted(one.keys() & other.keys())
    if both and len(both) >= SHARED * max(len(one), len(other)):
        return Matched([one[r] for r in both], [other[r] for r in both], paired=True)
    return Matched(list(one.values()), list(other.values()), paired=False)
