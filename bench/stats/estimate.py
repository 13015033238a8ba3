"""A number and how well it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LEVEL = 0.95

Method = Literal[
    "none",
    "order statistics",
    "interpolated order statistics",
    "variance recovery",
    "paired variance recovery",
    "ordinal dominance",
    "Student t over rounds",
    "Student t over points",
]


@dataclass(frozen=True)
class Estimate:
    """A point estimate with a confidence interval, both in the unit of the data.

    `low` and `high` are None when there is too little data for any interval. `level` is the confidence
    that the interval really has: 0.95, or less when so few samples can't give more (n = 3 gives 0.75),
    which a report must then say. `n` counts the independent runs behind it.
    """

    value: float
    low: float | None
    high: float | None
    level: float
    n: int
    method: Method

    @property
    def has_interval(self) -> bool:
        """True when there is an interval of any level."""
        return self.low is not None and self.high is not None
