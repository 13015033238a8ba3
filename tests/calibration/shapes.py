"""Data of known medians: the shapes in which durations come, and a host that drifts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[np.random.Generator, int, int], Any]

SPREAD = 0.05
DRIFT = 0.05
"""By which share the host becomes slower from first to last round: one standard deviation of noise."""
STEP = 0.01
"""By which share a wandering host becomes slower or faster from round to round (standard deviation)."""
BURST = 0.3
"""By which share a neighbour slows all down, who comes in one of 20 rounds and stays for five."""


@dataclass(frozen=True)
class Shape:
    """`draw(rng, repeats, n)` gives values [repeats, 2, n] of two like targets, of this `median` and `ratio`.

    Where rounds are not `independent` of each other, nothing is required of the interval of a median, which
    takes them for it. Where nothing lies at the median (`hollow`), its interval covers what the order
    statistics that it ends at do, and no interval of them covers anything between.
    """

    name: str
    median: float
    draw: Draw
    paired: bool = False
    required: bool = True
    independent: bool = True
    hollow: bool = False
    ratio: float = 1.0


def _normal(rng: np.random.Generator, repeats: int, n: int) -> Any:
    return 1 + SPREAD * rng.standard_normal((repeats, 2, n))


def _log_normal(rng: np.random.Generator, repeats: int, n: int) -> Any:
    return np.exp(0.5 * rng.standard_normal((repeats, 2, n)))


def _bimodal(rng: np.random.Generator, repeats: int, n: int) -> Any:
    """Return two humps, as of starts that wait for something or don't; the median is in the valley."""
    far = rng.random((repeats, 2, n)) < 0.5
    return np.where(far, 1.2, 1.0) + SPREAD * rng.standard_normal((repeats, 2, n))


def _apart(rng: np.random.Generator, repeats: int, n: int) -> Any:
    """Return two humps with nothing between: the hardest case, since each end is in one or the other."""
    far = rng.random((repeats, 2, n)) < 0.5
    return np.where(far, 1.2, 1.0) + 0.01 * rng.standard_normal((repeats, 2, n))


def _wandering(rng: np.random.Generator, repeats: int, n: int) -> Any:
    """Return rounds on a host whose speed goes up and down as it likes (a random walk)."""
    level = STEP * rng.standard_normal((repeats, 1, n)).cumsum(axis=2)
    return np.exp(level + SPREAD * rng.standard_normal((repeats, 2, n)))


def _visited(rng: np.random.Generator, repeats: int, n: int) -> Any:
    """Return rounds beside a neighbour that comes and goes (a Markov chain of two states)."""
    luck = rng.random((repeats, n))
    there = np.zeros((repeats, n), dtype=bool)
    there[:, 0] = luck[:, 0] < 0.2
    for i in range(1, n):
        there[:, i] = luck[:, i] < np.where(there[:, i - 1], 0.8, 0.05)
    return (1 + BURST * there[:, None, :]) * np.exp(SPREAD * rng.standard_normal((repeats, 2, n)))


def drifting(drift: float) -> Draw:
    """Return rounds in which both targets are slower and slower, by `drift` in all."""

    def draw(rng: np.random.Generator, repeats: int, n: int) -> Any:
        slower = 1 + drift * (np.arange(n) / (n - 1) - 0.5)
        return slower * np.exp(SPREAD * rng.standard_normal((repeats, 2, n)))

    return draw


def resampled(values: Any) -> Draw:
    """Return draws with replacement from real samples, whose median is then the true one."""

    def draw(rng: np.random.Generator, repeats: int, n: int) -> Any:
        return rng.choice(values, (repeats, 2, n))

    return draw


def in_rounds(first: Any, second: Any, length: int = 10) -> Draw:
    """Return pieces of `length` real rounds in a row, of two like targets: the host's drift stays in them."""
    both = np.stack([first, second])

    def draw(rng: np.random.Generator, repeats: int, n: int) -> Any:
        return both[:, stretches(rng, repeats, n, both.shape[1], length)].transpose(1, 0, 2)

    return draw


def stretches(rng: np.random.Generator, repeats: int, n: int, rounds: int, length: int = 10) -> Any:
    """Return the numbers [repeats, n] of rounds, drawn in pieces of `length` in a row."""
    starts = rng.integers(0, rounds - length + 1, (repeats, -(-n // length)))
    return (starts[:, :, None] + np.arange(length)).reshape(repeats, -1)[:, :n]


def simulated() -> list[Shape]:
    """Return the shapes that need no host. The strong drift is shown, and decides nothing."""
    return [
        Shape("normal", 1.0, _normal),
        Shape("log-normal", 1.0, _log_normal),
        Shape("bimodal", 1.1, _bimodal),
        Shape("drifting, groups", 1.0, drifting(DRIFT)),
        Shape("drifting, pairs", 1.0, drifting(DRIFT), paired=True),
        Shape("drifting fourfold, pairs", 1.0, drifting(4 * DRIFT), paired=True, required=False),
        Shape("bimodal, far apart", 1.1, _apart, hollow=True),
        Shape("wandering, pairs", 1.0, _wandering, paired=True, independent=False),
        Shape("visited, pairs", 1.0, _visited, paired=True, independent=False),
    ]
