"""How far a plan has come and how long the rest may take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class Pace:
    """Counts steps by label; each has its own mean, for a VM takes a thousand times a container's time."""

    planned: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)

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
        """Seconds that the rest may take; None at first. A label not seen yet costs the others' mean."""
        means = {label: self.seconds[label] / count for label, count in self.done.items()}
        if not means:
            return None
        typical = sum(means.values()) / len(means)
        rest = self.planned - self.done
        return sum(count * means.get(label, typical) for label, count in rest.items())
