"""Which turns are taken again: those that were set aside, at the end, as far as a few spare ones go.

What sets a turn aside is the host and never its value (`bench.exclusion`), so this chooses no result. Without
it a claim that asks for six runs would hang on whether a neighbour was busy in one of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.schedule import Slot

FEWEST = 2
SHARE = 4


def most(runs: int) -> int:
    """Return how many spare turns a target has beside `runs` planned ones: a quarter, or two."""
    return max(FEWEST, runs // SHARE) if runs else 0


@dataclass
class Spares:
    """What has been set aside in one scenario; `runs` are the planned turns by target."""

    runs: Mapping[str, int] = field(default_factory=dict)
    _disturbed: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _taken: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def note(self, target: str, round_: int, *, disturbed: bool) -> None:
        """Learn of a sample that was to count."""
        self._taken[target].add(round_)
        if disturbed:
            self._disturbed[target].add(round_)

    def wants(self, slot: Slot) -> bool:
        """Tell whether a spare slot is to be taken, by what was seen in the rounds before it.

        Where one target's turn is made good, those with as many turns or more have one too: a ratio takes
        both of its sides from one round.
        """
        if self._spent(slot.target, slot) >= most(self.runs[slot.target]):
            return False
        fewer = [name for name, count in self.runs.items() if count <= self.runs[slot.target]]
        return any(self._owed(name, slot) for name in fewer)

    def _owed(self, target: str, slot: Slot) -> bool:
        lost = sum(number < slot.round for number in self._disturbed[target])
        return lost > self._spent(target, slot)

    def _spent(self, target: str, slot: Slot) -> int:
        return sum(slot.spares <= number < slot.round for number in self._taken[target])
