"""Which turns are taken again: those that were set aside, at the end, as far as a few spare ones go.

What sets a turn aside is the host and never its value (`bench.exclusion`), so this chooses no result. Without
it a claim that asks for six runs would hang on whether a neighbour was busy in one of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.results import Sample
    from bench.schedule import Slot

FEWEST = 2
SHARE = 4


def most(runs: int) -> int:
    """Return how many spare turns a target has beside `runs` planned ones: a quarter, or two.

    None beside a single one, which only shows something: it has no interval that could be lost.
    """
    return max(FEWEST, runs // SHARE) if runs > 1 else 0


@dataclass
class Spares:
    """What has been set aside in one scenario; `runs` are the counted turns that were planned, by target.

    `slots` are all that may be taken: by them a sample is known, since a scenario may record a turn under
    another name than that of its slot.
    """

    runs: Mapping[str, int]
    slots: Iterable[Slot]
    _targets: dict[tuple[int, int], str] = field(init=False)
    _taken: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _disturbed: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self._targets = {(slot.round, slot.position): slot.target for slot in self.slots if not slot.warmup}

    def note(self, sample: Sample) -> None:
        """Learn of a sample."""
        target = self._targets.get((sample.round, sample.position))
        if target is None:
            return
        self._taken[target].add(sample.round)
        if sample.excluded is not None:
            self._disturbed[target].add(sample.round)

    def wants(self, slot: Slot) -> bool:
        """Tell whether a spare slot is to be taken, by what was seen in the rounds before it.

        Where one target's turn is made good, those with as many turns or more have one too: a ratio takes
        both of its sides from one round.
        """
        fewer = [name for name, count in self.runs.items() if count <= self.runs[slot.target]]
        return any(self._owed(name, slot) for name in fewer)

    def _owed(self, target: str, slot: Slot) -> bool:
        """Tell whether `target` has lost more than it got back, and has a turn left in this round."""
        lost = sum(number < slot.round for number in self._disturbed[target])
        back = sum(slot.spares <= number < slot.round for number in self._taken[target])
        return lost > back and slot.round - slot.spares < most(self.runs[target])
