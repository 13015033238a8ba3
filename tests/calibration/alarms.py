"""How often a difference is claimed: where there is none, and where there is one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.stats.comparison import MARGIN, compare, family
from tests.calibration.shapes import SPREAD, drifting, stretches
from tests.calibration.starts import METRIC
from tests.calibration.verdicts import Row, at_least, at_most, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench.stats.comparison import Comparison, Verdict
    from tests.calibration.shapes import Shape

    Tables = Mapping[str, Mapping[str, Any]]

REPEATS = 1000
LEVEL = 0.05
POWER = 0.95
CLAIMS = {"higher", "lower"}
OFTEN = 400
"""Comparisons that are resampled from real rounds."""


def simulated(shapes: Iterable[Shape], seed: int, repeats: int = REPEATS) -> Iterator[Row]:
    """Yield how often a target differs from itself, over simulated runs."""
    rng = np.random.default_rng(seed)
    for shape in shapes:
        for n in (10, 20):
            drawn = shape.draw(rng, repeats, n).tolist()
            hits = sum(claimed(*pair, seed=i, paired=shape.paired) for i, pair in enumerate(drawn))
            yield at_most("A/A simulated", f"{shape.name}, n = {n}", hits, repeats, LEVEL)


def real(tables: Tables, target: str, n: int) -> tuple[int, int]:
    """Return how many reports on a real target beside itself claim anything, and of how many of n rounds."""
    pieces = _pieces(len(tables[METRIC][target]), n)
    hits = sum(bool(CLAIMS & set(reported(tables, f"{target}-again", target, p).values())) for p in pieces)
    return hits, len(pieces)


def real_alarms(tables: Tables, names: Sequence[str], n: int) -> Iterator[Row]:
    """Yield how often reports on n real rounds of a target beside itself claim anything."""
    found = [real(tables, name, n) for name in names]
    for name, (hits, count) in zip(names, found, strict=True):
        if count:
            yield at_most("A/A real", f"{name}, n = {n}", hits, count, LEVEL)
    hits, count = map(sum, zip(*found, strict=True))
    if count:
        yield at_most("A/A real", f"both, n = {n}", hits, count, LEVEL)


def power(tables: Tables, target: str, injected: str, n: int, seed: int) -> Iterator[Row]:
    """Yield how often a report says of a real delay that the start is slower, in stretches of n rounds.

    They are put together from pieces of real rounds in a row, for so many wholly real ones would take hours;
    and how often it does when differences below the default margin are called equivalent, which a delay of
    5 % just is not.
    """
    drawn = list(stretches(np.random.default_rng(seed), OFTEN, n, len(tables[METRIC][target])))
    found = [_rows(tables, injected, target, rounds) for rounds in drawn]
    yield at_least("power, resampled", f"{injected}, n = {n}", _slower(found), len(drawn), POWER)
    what = f"{injected}, n = {n}, margin {MARGIN:.0%}"
    hits = _slower([{m: replace(one, margin=MARGIN) for m, one in rows.items()} for rows in found])
    yield Row("power, resampled", what, *share(hits, len(drawn)), "reported")


def real_power(tables: Tables, delays: Mapping[str, int]) -> Iterator[Row]:
    """Yield how often a delay is found in wholly real stretches; `delays` has the length for each delay.

    All together have to reach the power: those of one delay are too few to tell 95 % from 90.
    """
    counts = []
    for injected, n in delays.items():
        target = injected.partition("-")[0]
        pieces = _pieces(len(tables[METRIC][target]), n)
        if pieces:
            hits = _slower([_rows(tables, injected, target, rounds) for rounds in pieces])
            counts.append((hits, len(pieces)))
            yield Row("power, real", f"{injected}, n = {n}", *share(*counts[-1]), "reported")
    if counts:
        yield at_least("power, real", "all delays", *map(sum, zip(*counts, strict=True)), POWER)


def reported(tables: Tables, new: str, base: str, rounds: Any) -> Mapping[str, Verdict]:
    """Return the verdict of each row of a report on these rounds, all of them one family (Holm)."""
    return _judged(_rows(tables, new, base, rounds))


def _rows(tables: Tables, new: str, base: str, rounds: Any) -> dict[str, Comparison]:
    rows = {
        metric: compare(found[new][rounds].tolist(), found[base][rounds].tolist(), margin=0.0, paired=True)
        for metric, found in tables.items()
    }
    return {metric: one for metric, one in rows.items() if one}


def _judged(rows: Mapping[str, Comparison]) -> Mapping[str, Verdict]:
    return dict(zip(rows, (one.verdict for one in family(rows.values())), strict=True))


def _slower(reports: Iterable[Mapping[str, Comparison]]) -> int:
    return sum(_judged(rows).get(METRIC) == "higher" for rows in reports)


def _pieces(rounds: int, n: int) -> list[Any]:
    return [np.arange(start, start + n) for start in range(0, rounds - n + 1, n)]


def equivalence(seed: int, repeats: int = REPEATS) -> Iterator[Row]:
    """Yield how often equivalence within 5 % is granted: at the margin, beyond it, and where all is equal."""
    rng = np.random.default_rng(seed)
    cases = (
        ("at the margin, +5 %", 1 + MARGIN),
        ("at the margin, -5 %", 1 / (1 + MARGIN)),
        ("beyond, +7 %", 1.07),
    )
    for what, factor in cases:
        yield at_most("equivalence", f"{what}, n = 50", _granted(rng, factor, 50, repeats), repeats, LEVEL)
    yield at_least("equivalence", "equal, n = 50", _granted(rng, 1.0, 50, repeats), repeats, 0.9)
    yield at_least("equivalence", "+1 %, n = 100", _granted(rng, 1.01, 100, repeats), repeats, 0.9)


def _granted(rng: np.random.Generator, factor: float, n: int, repeats: int) -> int:
    drawn = drifting(SPREAD)(rng, repeats, n)
    drawn[:, 0] *= factor
    compared = (compare(*pair, margin=MARGIN, seed=i, paired=True) for i, pair in enumerate(drawn.tolist()))
    return sum(one is not None and one.is_equivalent for one in compared)


def claimed(first: list[float], second: list[float], *, seed: int, paired: bool) -> bool:
    """Tell whether the comparison claims a difference, of whatever direction; the margin plays no part."""
    one = compare(first, second, margin=0.0, seed=seed, paired=paired)
    return one is not None and one.verdict in CLAIMS
