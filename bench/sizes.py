"""How much a run measures, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.schedule import Order

Mode = Literal["fast", "default", "rigorous"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much and in which order: `runs` overrides the scenario's own numbers of counted turns.

    With `precision` (a share of the median) the numbers follow from the data, and `runs` is the most. With
    `cold` every start begins with nothing of the image in the page cache. `asked` holds, for a scenario, the
    only targets that are wanted of it and the fewest counted turns of each; `bounds` the targets of which
    more turns than so many, or a warm-up, would tell no more: they get no more, and no warm-up.
    """

    mode: Mode
    seed: int
    order: Order = "interleaved"
    runs: int | None = None
    precision: float | None = None
    cold: bool = False
    asked: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    bounds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def wants(self, scenario: str, target: str) -> bool:
        """Tell whether `target` is wanted of `scenario`."""
        return scenario not in self.asked or target in self.asked[scenario]
