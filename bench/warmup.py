"""How many first turns of a target are set aside: until the evidence says that it is warm.

What warms up becomes faster turn by turn: caches fill, files are read. So a target is cold while its latest
turn is the fastest so far, and warm once two turns in a row were not. In turns that only fluctuate the third
and fourth of many are seldom the fastest, so this ends soon; in a long descent it goes on to a bound.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

IN_A_ROW = 2
MOST = 10
SHARE = 4


def most(least: int, runs: int) -> int:
    """Return the bound: one warm-up for four counted runs, from `least` to `MOST`; none if `least` is 0."""
    return max(least, min(MOST, runs // SHARE)) if least else 0


def is_warm(values: Sequence[float], least: int) -> bool:
    """Tell whether turns that took `values`, in their order, are enough; `least` are taken in any case."""
    if len(values) < max(least, IN_A_ROW + 1):
        return False
    fastest = list(accumulate(values, min))
    return all(values[place] > fastest[place] for place in range(len(values) - IN_A_ROW, len(values)))
