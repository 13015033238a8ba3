"""How far a plan has come and how long the rest may take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class Pace:
    """Counts steps by label; each has its own mean, for a VM takes a thousand times a container's time.

    `expected` are seconds of a step by label, as known beforehand from another host.
    """

    planned: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)

    def plan(self, labels: Iterable[str]) -> None:
        """Add steps to come."""
        self.planned.update(labels)

    def step(self, label: str, seconds: float) -> None:
        """Count a step of `label` that took `seconds`."""
        self.done[label] += 1
        self.seconds[label] = self.seconds.get(label, 0.0) + seconds

    def drop(self, label: str) -> None:
        """Take back one planned step of `label`, which is not to come."""
        self.planned[label] -= 1

    @property
    def total(self) -> int:
        """Number of planned steps."""
        return self.planned.total()

    @property
    def finished(self) -> int:
        """Number of steps done."""
        return self.done.total()

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest may take; None while nothing is known.

        A label not seen yet costs what was expected of it, scaled by what this host made of expectations so
        far; without any, the mean of the others.
        """
        means = {label: self.seconds[label] / count for label, count in self.done.items()}
        known = {label: one * self._scale() for label, one in self.expected.items()} | means
        if not known:
            return None
        typical = sum(known.values()) / len(known)
        rest = self.planned - self.done
        return sum(count * known.get(label, typical) for label, count in rest.items())

    def _scale(self) -> float:
        hoped = sum(self.expected[label] * n for label, n in self.done.items() if label in self.expected)
        took = sum(self.seconds[label] for label in self.done if label in self.expected)
        return took / hoped if hoped else 1.0
