"""A straight line through (count, cost): its slope is what one more instance costs."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.stats.estimate import LEVEL, Estimate, Method

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_ROUNDS = 3


@dataclass(frozen=True)
class Point:
    """One sample: `x` instances cost `y`, seen in round `round`."""

    x: float
    y: float
    round: int


@dataclass(frozen=True)
class Line:
    """y = intercept + slope x. `slope` is in the unit of y per instance, `intercept` in that of y.

    `rounds` are those that each saw several x. `residual` is the standard deviation of the points around the
    line (None with two points or fewer).
    """

    slope: Estimate
    intercept: Estimate
    points: int
    rounds: int
    residual: float | None

    def at(self, x: float) -> float:
        """Return the line's height at `x`."""
        return self.intercept.value + self.slope.value * x


def fit(points: Sequence[Point]) -> Line | None:
    """Fit ordinary least squares; None when fewer than two different x are known.

    Where at least 3 rounds each saw several x, every round is fitted on its own and the interval is
    Student's t over the rounds' slopes: points of one round share its instances and the host's mood, so
    they are no independent evidence (the summary-measure analysis of Matthews et al. 1990, BMJ 300).
    Otherwise the textbook interval over all points (Draper and Smith 1998, section 1.4), which is too
    narrow if points of a round depend on each other; `method` tells which one it is.
    """
    whole = _least_squares(points)
    if whole is None:
        return None
    rounds = [found for group in _by_round(points) if (found := _least_squares(group))]
    if len(rounds) >= FEWEST_ROUNDS:
        slope, intercept = (_over_rounds(list(column)) for column in zip(*rounds, strict=True))
    else:
        slope, intercept = _over_points(points, *whole)
    return Line(slope, intercept, len(points), len(rounds), _residual(points, slope.value, intercept.value))


def _by_round(points: Sequence[Point]) -> list[list[Point]]:
    groups: dict[int, list[Point]] = {}
    for point in points:
        groups.setdefault(point.round, []).append(point)
    return list(groups.values())


def _least_squares(points: Sequence[Point]) -> tuple[float, float] | None:
    if len({point.x for point in points}) < 2:  # noqa: PLR2004 - two points make a line
        return None
    slope, intercept = statistics.linear_regression([p.x for p in points], [p.y for p in points])
    return slope, intercept


def _over_rounds(values: list[float]) -> Estimate:
    n = len(values)
    error = statistics.stdev(values) / math.sqrt(n)
    return _student(statistics.fmean(values), error, freedom=n - 1, n=n, method="Student t over rounds")


def _over_points(points: Sequence[Point], slope: float, intercept: float) -> tuple[Estimate, Estimate]:
    n = len(points)
    spread = _residual(points, slope, intercept)
    if spread is None:
        return Estimate(slope, None, None, 0.0, n, "none"), Estimate(intercept, None, None, 0.0, n, "none")
    mean = statistics.fmean(p.x for p in points)
    squares = sum((p.x - mean) ** 2 for p in points)
    errors = spread / math.sqrt(squares), spread * math.sqrt(1 / n + mean**2 / squares)
    first, second = (
        _student(value, error, freedom=n - 2, n=n, method="Student t over points")
        for value, error in zip((slope, intercept), errors, strict=True)
    )
    return first, second


def _residual(points: Sequence[Point], slope: float, intercept: float) -> float | None:
    freedom = len(points) - 2
    if freedom < 1:
        return None
    return math.sqrt(sum((p.y - intercept - slope * p.x) ** 2 for p in points) / freedom)


def _student(value: float, error: float, *, freedom: int, n: int, method: Method) -> Estimate:
    from scipy.special import stdtrit  # noqa: PLC0415 - never loaded where something is measured

    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return Estimate(value, value - half, value + half, LEVEL, n, method)
