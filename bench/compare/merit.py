"""Whether more of a metric is better or worse, and in which words a change of it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bench.results.model import Unit
    from bench.stats.comparison import Verdict as Direction

Better = Literal["lower", "higher"]
Verdict = Literal["slower", "faster", "larger", "smaller", "equivalent", "inconclusive"]

DIAGNOSTIC = frozenset({"unexplained", "ksm_shared", "page_cache_before"})
"""Metrics that say how well others were taken. Neither more nor less of them is a merit."""
_WORDS: dict[tuple[str, Direction], Verdict] = {
    ("time", "higher"): "slower",
    ("time", "lower"): "faster",
    ("rate", "higher"): "faster",
    ("rate", "lower"): "slower",
    ("size", "higher"): "larger",
    ("size", "lower"): "smaller",
}
CLAIMED: frozenset[Verdict] = frozenset(_WORDS.values())
"""Verdicts that the two differ."""
PLENTY = frozenset({"instances", "overlap"})
"""Metrics that are no rates and of which more is better all the same."""


def better(unit: Unit, metric: str) -> Better:
    """Return which direction is the good one: more per second, but fewer seconds, bytes and events."""
    return "higher" if unit == "1/s" or metric in PLENTY else "lower"


def word(direction: Direction, unit: Unit) -> Verdict:
    """Return the verdict for people: of a rate that is lower, for example, that it is slower."""
    if direction in {"equivalent", "inconclusive"}:
        return direction
    kind = {"s": "time", "1/s": "rate"}.get(unit, "size")
    return _WORDS[kind, direction]
