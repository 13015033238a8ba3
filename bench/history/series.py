"""One figure over the stored runs: a point for each, and where it changed for good."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.compare.facts import differing
from bench.compare.merit import DIAGNOSTIC, better
from bench.stats.changes import LONGEST, changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.history.entry import Entry, Figure
    from bench.results.model import Unit
    from bench.stats.changes import Change

Key = tuple[str, str, str, str]
NEEDED = 10
"""Fewer runs can be put in too few orders for a division to be rare, however large the step.
Each side has at least three, so that later ones confirm a change."""
CONFIRMED = 2
"""Later runs that have to be nearer to what is after a change than to what was before it."""


@dataclass(frozen=True)
class Point:
    """The figure of one run; `moved` names what of the conditions is not as in the run before."""

    entry: Entry
    figure: Figure
    moved: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A change for good: from `point` on the medians are others.

    `share` is by how much they got worse (0.1: a tenth more, or a tenth less of a rate); negative is better.
    `later` runs after the first confirm it: they are nearer to the figure after than to that before.
    """

    point: Point
    change: Change
    share: float
    later: int

    @property
    def explained(self) -> tuple[str, ...]:
        """The conditions that changed with it, so that the software may be innocent."""
        return self.point.moved


@dataclass(frozen=True)
class Series:
    """One scenario, target, metric and set of parameters, the oldest run first."""

    scenario: str
    target: str
    metric: str
    params: str
    unit: Unit
    points: tuple[Point, ...]

    @property
    def label(self) -> str:
        """Say in words what it is."""
        return " ".join(word for word in (self.scenario, self.target, self.metric, self.params) if word)

    def steps(self) -> list[Step]:
        """Find changes by E-divisive at 2.5 % a series, in the last `LONGEST` runs; later ones confirm it."""
        points = self.points[-LONGEST:]
        if len(points) < NEEDED:
            return []
        found = changes([point.figure.median for point in points])
        edges = [*(change.index for change in found), len(points)]
        steps = [self._step(points, change, end) for change, end in zip(found, edges[1:], strict=True)]
        return [step for step in steps if step.later >= CONFIRMED]

    def _step(self, points: Sequence[Point], change: Change, end: int) -> Step:
        share = change.ratio - 1 if better(self.unit, self.metric) == "lower" else 1 - change.ratio
        after = [point.figure.median for point in points[change.index + 1 : end]]
        later = sum(abs(value - change.after) < abs(value - change.before) for value in after)
        return Step(points[change.index], change, share, later)


def series(entries: Iterable[Entry]) -> list[Series]:
    """Return every figure's history over the runs that ended in order, in the order of their beginning."""
    found: dict[Key, list[Point]] = defaultdict(list)
    last: dict[Key, Entry] = {}
    whole = [entry for entry in entries if not entry.fault and entry.finished is not None]
    for entry in sorted(whole, key=lambda entry: (entry.started, entry.key)):
        for figure in entry.figures:
            if figure.metric in DIAGNOSTIC:
                continue
            before = last.get(figure.series)
            pair = [_conditions(one, figure) for one in (before, entry)] if before else [{}, {}]
            moved = tuple(differing(*pair))
            found[figure.series].append(Point(entry, figure, moved))
            last[figure.series] = entry
    return [Series(*key, unit=points[-1].figure.unit, points=tuple(points)) for key, points in found.items()]


def _conditions(entry: Entry, figure: Figure) -> dict[str, str]:
    """Return what a run knows of the host and of the figure's own target: others' images move nothing."""
    own = {f"targets.{figure.target}.version"}
    own |= {f"{figure.scenario}.{figure.target}.{what}" for what in ("image", "boundary")}
    others = {n for n in entry.facts if n.startswith("targets.") or n.endswith((".image", ".boundary"))}
    return {name: value for name, value in entry.facts.items() if name not in others - own}
