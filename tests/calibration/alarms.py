"""How often a difference is claimed: where there is none, and where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.stats.comparison import MARGIN, compare
from tests.calibration.shapes import SPREAD, drifting, in_rounds
from tests.calibration.verdicts import Row, at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.calibration.shapes import Shape

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


def real(rounds: Mapping[str, Any], target: str, n: int) -> tuple[int, int]:
    """Return how often a real target differs from itself, and of how many comparisons of n rounds each."""
    first, again = rounds[target], rounds[f"{target}-again"]
    pieces = [slice(start, start + n) for start in range(0, len(first) - n + 1, n)]
    hits = sum(claimed(first[p].tolist(), again[p].tolist(), seed=p.start, paired=True) for p in pieces)
    return hits, len(pieces)


def power(rounds: Mapping[str, Any], target: str, injected: str, n: int, seed: int) -> Iterator[Row]:
    """Yield how often a real delay is found: in each stretch of n rounds, and in resampled stretches."""
    slow, plain = rounds[injected], rounds[target]
    pieces = [slice(start, start + n) for start in range(0, len(plain) - n + 1, n)]
    hits = sum(found(slow[p].tolist(), plain[p].tolist(), seed=p.start) for p in pieces)
    yield at_least("power, real", f"{injected}, n = {n}", hits, len(pieces), POWER)
    drawn = in_rounds(slow, plain)(np.random.default_rng(seed), OFTEN, n).tolist()
    hits = sum(found(a, b, seed=i) for i, (a, b) in enumerate(drawn))
    yield at_least("power, resampled", f"{injected}, n = {n}", hits, OFTEN, POWER)


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


def found(slow: list[float], plain: list[float], *, seed: int) -> bool:
    """Tell whether the comparison says that the first is slower."""
    one = compare(slow, plain, margin=0.0, seed=seed, paired=True)
    return one is not None and one.verdict == "higher"
