"""How often intervals that say 95 % hold the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.stats import median, ratio
from tests.calibration.verdicts import Row, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.calibration.shapes import Shape

SIZES = (10, 20, 50)
REPEATS = 6000
LEAST, MOST = 0.93, 0.97


def coverage(shapes: Iterable[Shape], seed: int, repeats: int = REPEATS) -> Iterator[Row]:
    """Yield the coverage of the interval of a median and of the ratio of two, by shape and number of runs."""
    rng = np.random.default_rng(seed)
    for shape in shapes:
        for n in SIZES:
            drawn = shape.draw(rng, repeats, n).tolist()
            found = {
                "median": sum(_holds(median(first), shape.median) for first, _ in drawn),
                "ratio": sum(_holds(ratio(*pair, paired=shape.paired), 1.0) for pair in drawn),
            }
            for what, hits in found.items():
                if what == "median" and shape.paired:
                    continue  # the same as that of the groups
                yield Row(
                    "coverage", f"{what}, {shape.name}, n = {n}", *share(hits, repeats),
                    goal=f"{LEAST:.0%} to {MOST:.0%}" if shape.required else "",
                    met=LEAST <= hits / repeats <= MOST if shape.required else None,
                )  # fmt: skip


def _holds(estimate: Any, truth: float) -> bool:
    return bool(estimate.low <= truth <= estimate.high)
