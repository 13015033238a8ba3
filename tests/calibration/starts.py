"""Real starts in real rounds: each target, the same once more, and the same with delays injected."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.clock import now
from bench.progress import progress
from bench.scenarios.repeated import OTHERS
from bench.scenarios.startup import Startup
from bench.session import Session
from bench.sizes import Sizes
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
FIRST = 200
"""Rounds before the others, from whose medians the delays follow."""
LONGEST = 300
"""Seconds after which no further block of rounds begins, so that the table is there in ten minutes."""
ENOUGH = 0.6
"""Share of a thousand rounds that has sixty A/A comparisons of twenty rounds, of both targets together."""
SHARE = 0.05
MILLISECOND = 0.001
METRIC = "ready"


class Starts(Startup):
    """The startup scenario on whatever targets there are."""

    runs: ClassVar = {"default": {OTHERS: FIRST}}

    def __init__(self, names: tuple[str, ...]) -> None:
        self.targets = names


@dataclass
class Kept:
    """Takes samples, by target and metric, where a run has its file.

    `listened` are the targets, whose channels are said to be known: an echo is no start.
    """

    listened: tuple[str, ...]
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def record(self, *measurements: Measurement) -> None:
        """Keep the samples without warm-ups."""
        for one in measurements:
            self.samples[one.target, one.metric] += [sample for sample in one.samples if not sample.warmup]

    @property
    def run(self) -> Any:
        """The run so far, as far as a session asks for it."""
        return SimpleNamespace(calibrations=[SimpleNamespace(target=name) for name in self.listened])

    def fail(self, failure: Any) -> None:
        """End the calibration: a start that failed is no number."""
        raise RuntimeError(f"{failure.target} failed to start: {failure.text}")


@dataclass(frozen=True)
class Found:
    """Seconds of every round, by metric and target; `good` are the rounds that met no exclusion rule.

    `delays` are the seconds that were injected, `own` what a start took before that.
    """

    every: Mapping[str, Mapping[str, list[float]]]
    good: list[bool]
    delays: Mapping[str, float]
    own: Mapping[str, Mapping[str, Any]]

    @property
    def quiet(self) -> bool:
        """Whether enough rounds count; on a busy host the others are better than none."""
        return sum(self.good) >= ENOUGH * len(self.good)

    @property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """The values that count, by metric and target: what a report on such a run has in its rows."""
        chosen = np.array(self.good) if self.quiet else np.full(len(self.good), fill_value=True)
        return {
            metric: {name: np.array(values)[chosen] for name, values in found.items()}
            for metric, found in self.every.items()
        }

    @property
    def rounds(self) -> Mapping[str, Any]:
        """The values until ready that count, by target."""
        return self.tables[METRIC]

    def share(self, injected: str) -> float:
        """Return what was injected as a share of the median that the target then had in these rounds."""
        return self.delays[injected] / statistics.median(self.rounds[injected.partition("-")[0]])


def measure(rounds: int, seed: int, data: Path, run: Path, say: Any) -> Found:
    """Start everything in `rounds` rounds, in the order that `tare run` would take."""
    prune(data, run, say)
    with Drivers(data, run, None, say) as drivers:
        known = targets(drivers)
        made: dict[str, Target] = {name: known[name] for name in NAMES}
        made |= {f"{name}-again": Delayed(known[name], f"{name}-again") for name in NAMES}
        first = _take({"null": Null(), **made}, FIRST, seed)[METRIC]  # in the company that they then have
        own = {name: _described(first[name]) for name in ("null", *NAMES)}
        delays = {}
        for name in NAMES:
            delays[f"{name}-5pct"] = SHARE * own[name]["median"]
            delays[f"{name}-1ms"] = MILLISECOND
        for name, seconds in delays.items():
            made[name] = Delayed(known[name.partition("-")[0]], name, seconds)
        kept = _take(made, rounds, seed)
    taken = len(kept[METRIC][NAMES[0]])
    if taken < rounds:
        say(f"{taken} of {rounds} rounds were taken in {LONGEST} s")
    good = [all(kept[METRIC][name][i].excluded is None for name in made) for i in range(taken)]
    every = {
        metric: {name: [s.value for s in samples] for name, samples in found.items()}
        for metric, found in kept.items()
    }
    return Found(every, good, delays, own)


def _take(made: Mapping[str, Target], rounds: int, seed: int) -> dict[str, dict[str, list[Sample]]]:
    kept = Kept(tuple(made))
    with progress(quiet=True) as shown:
        sizes = Sizes("default", seed, runs=rounds)
        session = Session(made, sizes, kept, shown, ends=now() + LONGEST)  # type: ignore[arg-type]
        Starts(tuple(made)).run(session)
    found: dict[str, dict[str, list[Sample]]] = defaultdict(dict)
    whole = min(map(len, kept.samples.values())) // 2 * 2  # the last block may lack turns, at its end
    for (name, metric), samples in kept.samples.items():
        found[metric][name] = sorted(samples, key=lambda s: s.round)[:whole]
    return dict(found)


def _described(samples: list[Sample]) -> dict[str, Any]:
    values = [sample.value for sample in samples]
    found = median(values)
    return {"median": found.value, "low": found.low, "high": found.high, "n": found.n,
            "spread": statistics.stdev(values)}  # fmt: skip
