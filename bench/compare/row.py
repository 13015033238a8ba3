"""One line of a comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.compare import merit
from bench.stats.gate import detectable

if TYPE_CHECKING:
    from bench.compare.merit import Verdict
    from bench.results.model import Parameter, Unit
    from bench.stats.comparison import Comparison
    from bench.stats.estimate import Estimate


@dataclass(frozen=True)
class Side:
    """One of the two things compared: its target, its median (the file's unit), and how many runs."""

    target: str
    median: float | None
    n: int
    excluded: int


@dataclass(frozen=True)
class Change:
    """By which share a metric got worse: 0.1 takes or needs a tenth more, or does a tenth less per second.

    Negative is better. `low` and `high` are its interval at the confidence `level`; None with too few runs.
    """

    value: float
    low: float | None
    high: float | None
    level: float


@dataclass(frozen=True)
class Row:
    """A metric under the same parameters on both sides; `why` says what keeps them from being compared.

    `unlike` is by which factor, as a logarithm, a side with a shut A/A gate differs from itself, else 0.
    """

    scenario: str
    metric: str
    unit: Unit
    params: dict[str, Parameter]
    base: Side
    new: Side
    comparison: Comparison | None
    why: str = ""
    unlike: float = 0.0

    @property
    def target(self) -> str:
        """The target, or both where one is compared with another."""
        names = dict.fromkeys((self.base.target, self.new.target))
        return " → ".join(names)

    @property
    def label(self) -> str:
        """Metric and parameters in words: `rate work=fork`."""
        return " ".join([self.metric, *(f"{name}={value}" for name, value in self.params.items())])

    @property
    def verdict(self) -> Verdict:
        """What became of it: slower or faster, larger or smaller, equivalent, inconclusive."""
        if self.comparison is None or (self.is_drowned and self.comparison.verdict in {"higher", "lower"}):
            return "inconclusive"
        return merit.word(self.comparison.verdict, self.unit)

    @property
    def is_drowned(self) -> bool:
        """Whether the two may differ by no more than one of them does from itself: then none is claimed."""
        if self.comparison is None or not self.unlike:
            return False
        low, high = self.comparison.ratio.low, self.comparison.ratio.high
        if low is None or high is None:
            return True
        return math.log(low) <= self.unlike and -math.log(high) <= self.unlike

    @property
    def detects(self) -> float | None:
        """The smallest difference (0.03: 3 %) that such a comparison finds in 95 % of cases, if known."""
        return None if self.comparison is None else detectable(self.comparison.ratio)

    @property
    def worse(self) -> bool:
        """Whether it is confirmed to be worse."""
        change = self.change
        return self.verdict in merit.CLAIMED and change is not None and change.value > 0

    @property
    def change(self) -> Change | None:
        """By how much it got worse; None where nothing could be compared."""
        if self.comparison is None:
            return None
        return _change(self.comparison.ratio, up=merit.better(self.unit, self.metric) == "lower")


def _change(ratio: Estimate, *, up: bool) -> Change:
    """Return by how much it got worse; with `up` more is worse."""
    ends = (ratio.low, ratio.high) if up else (ratio.high, ratio.low)
    value, low, high = (None if r is None else (r - 1 if up else 1 - r) for r in (ratio.value, *ends))
    return Change(value or 0.0, low, high, ratio.level)
