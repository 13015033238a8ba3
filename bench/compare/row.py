"""One line of a comparison."""

from __future__ import annotations

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
    """A metric under the same parameters on both sides; `why` says what keeps them from being compared."""

    scenario: str
    metric: str
    unit: Unit
    params: dict[str, Parameter]
    base: Side
    new: Side
    comparison: Comparison | None
    why: str = ""

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
        return merit.word(self.comparison.verdict, self.unit) if self.comparison else "inconclusive"

    @property
    def detects(self) -> float | None:
        """The smallest difference (0.03: 3 %) that such a comparison finds in 95 % of cases, if known."""
        return None if self.comparison is None else detectable(self.comparison.ratio)

    @property
    def worse(self) -> bool:
        """Whether it is confirmed to be worse."""
        return self.verdict in merit.WORSE

    @property
    def change(self) -> Change | None:
        """By how much it got worse; None where nothing could be compared."""
        return None if self.comparison is None else _change(self.comparison.ratio, self.unit)


def _change(ratio: Estimate, unit: Unit) -> Change:
    up = merit.better(unit) == "lower"
    ends = (ratio.low, ratio.high) if up else (ratio.high, ratio.low)
    value, low, high = (None if r is None else (r - 1 if up else 1 - r) for r in (ratio.value, *ends))
    return Change(value or 0.0, low, high, ratio.level)
