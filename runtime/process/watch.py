"""Whether a starter goes on after the child that it had in hand has died.

A child that is killed midway may have held a lock of the memory that it shares with its starter (malloc's,
say): then the starter waits for that lock for ever, instead of ending, and nobody hears of it. So the spawner
looks now and then, as long as a start takes longer than any should: a starter that says nothing while its
child stays dead will never say anything.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PERIOD = 500  # milliseconds
_TIMES = (
    2  # looks at a dead child in a row; what is left to the starter then takes a fraction of a millisecond
)


class Watch:
    """Over one start at a time: `begin` when the starter tells of it, `end` when it tells how it ended."""

    __slots__ = ("_next", "_seen")

    def __init__(self) -> None:
        self._next: float | None = None
        self._seen = 0

    @property
    def on(self) -> bool:
        """Whether a start is under way."""
        return self._next is not None

    @property
    def timeout(self) -> int | None:
        """For how long poll(2) may wait, in milliseconds; None is for ever."""
        return None if self._next is None else PERIOD

    def begin(self) -> None:
        """Expect the end of a start."""
        self._next, self._seen = time.monotonic() + PERIOD / 1000, 0

    def end(self) -> None:
        """Expect nothing."""
        self._next = None

    def due(self) -> bool:
        """Whether it is time to look; others may wake the spawner more often than `timeout`."""
        if self._next is None or time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + PERIOD / 1000
        return True

    def stuck(self, states: Iterable[str]) -> bool:
        """Whether the starter will not go on, by the states (proc(5)) of the children not known yet."""
        found = list(states)
        dead = bool(found) and all(state in "ZX" for state in found)
        self._seen = self._seen + 1 if dead else 0
        return self._seen >= _TIMES
