"""Slower, faster, equivalent, or not known: two groups of runs of the same thing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from bench.stats.delta import cliffs_delta
from bench.stats.estimate import LEVEL
from bench.stats.holm import holm
from bench.stats.permutation import p_value
from bench.stats.ratio import WIDENING, ratio
from bench.stats.signed_rank import paired_p_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.stats.estimate import Estimate

Verdict = Literal["higher", "lower", "equivalent", "inconclusive"]
MARGIN = 0.05


@dataclass(frozen=True)
class Comparison:
    """What `new` is to `old`, both in the same unit.

    `ratio` is median(new) / median(old), `delta` Cliff's delta, `p` that of the permutation test as adjusted
    for the family (`p_raw` before). `equivalence` is the ratio's interval at the level of two one-sided
    tests, which lies within 1 / (1 + margin) and 1 + margin when the two are equivalent. `verdict` is higher
    or lower only where the test and the ratio's own interval both say so; it speaks of the figure, not of its
    merit: whether higher is slower is the metric's affair.
    """

    ratio: Estimate
    delta: Estimate
    equivalence: Estimate
    margin: float
    p_raw: float
    p: float
    verdict: Verdict

    @property
    def is_equivalent(self) -> bool:
        """Whether both one-sided tests reject a difference of `margin` or more."""
        low, high = self.equivalence.low, self.equivalence.high
        if low is None or high is None or self.equivalence.level < 1 - 2 * (1 - LEVEL):
            return False
        return 1 / (1 + self.margin) < low and high < 1 + self.margin


def compare(
    new: Sequence[float],
    old: Sequence[float],
    *,
    margin: float = MARGIN,
    seed: int = 0,
    paired: bool = False,
) -> Comparison | None:
    """Compare two groups of runs; None where a ratio says nothing (see `ratio`).

    `margin` is the difference that one would not mind (0.05: 5 %), fixed before looking. Equivalence is two
    one-sided tests at 5 % each (Schuirmann 1987): the 90 % interval within the margin. Without widening, the
    interval is never narrower than it says, so equivalence is granted too seldom rather than too often.

    `paired` says that new[i] and old[i] were taken in the same round of one schedule: then they are compared
    round by round, and a drift of the host cancels (see `paired_p_value`); otherwise the groups count as
    independent.
    """
    both = ratio(new, old, paired=paired)
    wide = ratio(new, old, level=1 - 2 * (1 - LEVEL) / WIDENING, paired=paired)
    if both is None or wide is None:
        return None
    p = paired_p_value(new, old, seed=seed) if paired else p_value(new, old, seed=seed)
    found = Comparison(both, cliffs_delta(new, old), wide, margin, p, p, "inconclusive")
    return replace(found, verdict=_verdict(found))


def family(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Return the comparisons with p adjusted for all of them (Holm), and verdicts to match."""
    found = list(comparisons)
    adjusted = [replace(one, p=p) for one, p in zip(found, holm([c.p_raw for c in found]), strict=True)]
    return [replace(one, verdict=_verdict(one)) for one in adjusted]


def _tells_from_none(ratio: Estimate) -> bool:
    return ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high


def _verdict(found: Comparison) -> Verdict:
    if found.is_equivalent:  # also when it is a real difference, of which nobody minds
        return "equivalent"
    if found.p > 1 - LEVEL or (found.ratio.value - 1) * found.delta.value <= 0:
        return "inconclusive"
    if not _tells_from_none(found.ratio):  # ranks tell more apart than medians: then nobody knows by how much
        return "inconclusive"
    return "higher" if found.ratio.value > 1 else "lower"
