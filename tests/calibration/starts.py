"""Real starts in real rounds: each target, the same once more, and the same with delays injected."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.progress import progress
from bench.scenario import Session, Sizes
from bench.scenarios.startup import Startup
from bench.stats import median
from bench.targets.drivers import Drivers
from bench.targets.null import Null
from bench.targets.registry import targets
from bench.targets.residue import prune
from tests.calibration.delayed import Delayed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.results import Measurement, Sample
    from bench.target import Target

NAMES = ("native", "container")
FIRST = 60
"""Rounds before the others, from whose medians the delays follow."""
SHARE = 0.05
MILLISECOND = 0.001
METRIC = "ready"


class Starts(Startup):
    """The startup scenario on whatever targets there are."""

    runs: ClassVar = {"default": {}}

    def __init__(self, names: tuple[str, ...]) -> None:
        self.targets = names


@dataclass
class Kept:
    """Takes samples where a run has its file: nothing is written while starts are timed.

    `listened` are the targets, whose channels are said to be known: an echo is no start.
    """

    listened: tuple[str, ...]
    samples: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def record(self, *measurements: Measurement) -> None:
        """Keep the samples of the one metric, without warm-ups."""
        for one in measurements:
            if one.metric == METRIC:
                self.samples[one.target] += [sample for sample in one.samples if not sample.warmup]

    @property
    def run(self) -> Any:
        """The run so far, as far as a session asks for it."""
        return SimpleNamespace(calibrations=[SimpleNamespace(target=name) for name in self.listened])

    def fail(self, failure: Any) -> None:
        """End the calibration: a start that failed is no number."""
        raise RuntimeError(f"{failure.target} failed to start: {failure.text}")


@dataclass(frozen=True)
class Found:
    """Seconds until ready of every round, by target; `good` are the rounds that met no exclusion rule.

    `delays` are the seconds that were injected, `own` what a start took before that.
    """

    every: Mapping[str, list[float]]
    good: list[bool]
    delays: Mapping[str, float]
    own: Mapping[str, Mapping[str, Any]]

    @property
    def quiet(self) -> bool:
        """Whether most rounds count; on a busy host the others are better than none."""
        return 2 * sum(self.good) >= len(self.good)

    @property
    def rounds(self) -> Mapping[str, Any]:
        """The values that count."""
        chosen = np.array(self.good) if self.quiet else np.full(len(self.good), fill_value=True)
        return {name: np.array(values)[chosen] for name, values in self.every.items()}


def measure(rounds: int, seed: int, data: Path, run: Path, say: Any) -> Found:
    """Start everything in `rounds` rounds, in the order that `tare run` would take."""
    prune(data, run, say)
    with Drivers(data, run, None, say) as drivers:
        known = targets(drivers)
        plain: dict[str, Target] = {"null": Null(), **{name: known[name] for name in NAMES}}
        first = _take(plain, FIRST, seed)
        own = {name: _described(first[name]) for name in plain}
        delays = {}
        made: dict[str, Target] = {}
        for name in NAMES:
            made[name] = plain[name]
            made[f"{name}-again"] = Delayed(plain[name], f"{name}-again")
            delays[f"{name}-5pct"] = SHARE * own[name]["median"]
            delays[f"{name}-1ms"] = MILLISECOND
        for name, seconds in delays.items():
            made[name] = Delayed(plain[name.partition("-")[0]], name, seconds)
        kept = _take(made, rounds, seed)
    good = [all(kept[name][i].excluded is None for name in made) for i in range(rounds)]
    return Found({name: [s.value for s in samples] for name, samples in kept.items()}, good, delays, own)


def _take(made: Mapping[str, Target], rounds: int, seed: int) -> dict[str, list[Sample]]:
    kept = Kept(tuple(made))
    with progress(quiet=True) as shown:
        session = Session(made, Sizes("default", seed, runs=rounds), kept, shown)  # type: ignore[arg-type]
        Starts(tuple(made)).run(session)
    return {name: sorted(samples, key=lambda s: s.round) for name, samples in kept.samples.items()}


def _described(samples: list[Sample]) -> dict[str, Any]:
    values = [sample.value for sample in samples]
    found = median(values)
    return {"median": found.value, "low": found.low, "high": found.high, "n": found.n,
            "spread": statistics.stdev(values)}  # fmt: skip
