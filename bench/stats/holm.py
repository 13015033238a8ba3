"""Many comparisons in one report, and one error rate for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return adjusted p-values, in the order given: each may be held against the level of the whole family.

    Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
    6; it makes no assumption about how the tests depend on each other.
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, (len(p_values) - step) * p_values[index])
        adjusted[index] = min(1.0, least)
    return adjusted
