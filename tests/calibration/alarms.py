"""How often a difference is claimed: where there is none, and where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.stats.comparison import MARGIN, compare, family
from tests.calibration.shapes import SPREAD, drifting, stretches
from tests.calibration.starts import METRIC
from tests.calibration.verdicts import Row, at_least, at_most, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bench.stats.comparison import Verdict
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


def power(tables: Tables, target: str, injected: str, n: int, seed: int) -> Iterator[Row]:
    """Yield how often a report says of a real delay that the start is slower.

    In each stretch of n rounds, and in stretches put together from pieces of them; and how often it does when
    differences below the default margin are called equivalent, which a delay of 5 % just is not.
    """
    total = len(tables[METRIC][target])
    pieces = _pieces(total, n)
    drawn = list(stretches(np.random.default_rng(seed), OFTEN, n, total))
    for part, rounds in (("power, real", pieces), ("power, resampled", drawn)):
        hits = sum(reported(tables, injected, target, p)[METRIC] == "higher" for p in rounds)
        yield at_least(part, f"{injected}, n = {n}", hits, len(rounds), POWER)
    hits = sum(reported(tables, injected, target, p, margin=MARGIN)[METRIC] == "higher" for p in drawn)
    yield Row(
        "power, resampled", f"{injected}, n = {n}, margin {MARGIN:.0%}", *share(hits, len(drawn)),
        "reported",
    )  # fmt: skip


def reported(
    tables: Tables, new: str, base: str, rounds: Any, *, margin: float = 0.0
) -> Mapping[str, Verdict]:
    """Return the verdict of each row of a report on these rounds, all of them one family (Holm)."""
    rows = {
        metric: compare(found[new][rounds].tolist(), found[base][rounds].tolist(), margin=margin, paired=True)
        for metric, found in tables.items()
    }
    judged = family(one for one in rows.values() if one)
    return dict(
        zip((metric for metric, one in rows.items() if one), (j.verdict for j in judged), strict=True)
    )


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
