"""The protocol of a scenario, and what a run gives it: targets, sizes, an order, and a place for samples."""

import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bench import exclusion, schedule
from bench.clock import now
from bench.errors import BenchFault
from bench.progress import Progress
from bench.results import Failure, Measurement, Sample, Writer
from bench.results import Image as ResultImage
from bench.results.model import Parameter, Unit
from bench.schedule import Slot
from bench.sentinels import Sentinels
from bench.target import Prepared, Target

Mode = Literal["fast", "default", "rigorous"]
SEEN_AROUND = ("load_other",)
QUIET = 0.15
"""Seconds of our own idleness before a turn, long enough for the kernel's ticks to show other load."""
FRESH = 0.5
"""Seconds for which such a look holds: quick targets share one a round, and are set aside together."""


@dataclass(frozen=True, slots=True)
class Value:
    """One figure of one run, in SI base units."""

    metric: str
    unit: Unit
    value: float
    params: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value belongs: scenario, target, its turn, and what was prepared for it."""

    scenario: str
    slot: Slot
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much and in which order: `runs` overrides the scenario's own numbers of counted turns."""

    mode: Mode
    seed: int
    order: schedule.Order = "interleaved"
    runs: int | None = None


@dataclass(slots=True)
class Session:
    """One run of Tare: what a scenario needs from the command line, and the file that it fills."""

    targets: Mapping[str, Target]
    sizes: Sizes
    writer: Writer
    progress: Progress
    sentinels: Sentinels = field(default_factory=Sentinels)
    around: dict[str, float] = field(default_factory=dict)
    looked: float = -math.inf
    started: float = field(default_factory=now)
    unprepared: list[BenchFault] = field(default_factory=list)

    def chosen(self, scenario: "Scenario") -> list[str]:
        """Return the targets of `scenario` that this run measures, in the scenario's order."""
        return [name for name in scenario.targets if name in self.targets]

    def slots(self, scenario: "Scenario", without: Collection[str] = ()) -> Iterator[Slot]:
        """Yield every turn of `scenario`, after a quiet moment each; those of targets in `without` fall out.

        The order of the others is the one that was planned.
        """
        self.looked = -math.inf
        self.sentinels = Sentinels()  # what went on while this scenario was prepared is no disturbance
        planned = turns(scenario, self.sizes, self.chosen(scenario))
        for turn in planned:
            if turn.target in without:
                self.progress.skip(f"{scenario.name} {turn.target}")
        for turn in (turn for turn in planned if turn.target not in without):
            label = f"{scenario.name} {turn.target}"
            self.progress.begin(label)
            self._look_around()
            yield turn
            self.progress.end(label)

    def _look_around(self) -> None:
        """Let the sentinels watch a moment in which we do nothing: what is busy then is somebody else."""
        if now() - self.looked < FRESH:
            return
        self.sentinels.start()
        self.sentinels.stop()
        time.sleep(QUIET)
        self.sentinels.start()
        seen = self.sentinels.stop()
        self.around = {name: seen[name] for name in SEEN_AROUND if name in seen}
        self.looked = now()

    def record(self, place: Place, values: Sequence[Value], sentinels: Mapping[str, float]) -> None:
        """Write the values of one run to the file, with what disturbed it."""
        self.writer.record(*(self._measurement(place, value, sentinels) for value in values))

    def fail(self, scenario: str, slot: Slot, error: BenchFault) -> None:
        """Note a start or a measurement that gave no sample; the run goes on and ends with status 1."""
        self._fail(scenario, slot.target, slot.round, error)

    def fail_to_prepare(self, scenario: str, target: str, error: BenchFault) -> None:
        """Note that a target could not be prepared, so that all of its turns fall out; the run goes on."""
        self.unprepared.append(error)
        self.progress.note(f"{scenario} on {target} can't be prepared, so it is left out: {error}")
        self._fail(scenario, target, 0, error)

    def _fail(self, scenario: str, target: str, number: int, error: BenchFault) -> None:
        failure = Failure(scenario=scenario, target=target, round=number, text=str(error), hint=error.hint)
        self.writer.fail(failure)

    def _measurement(self, place: Place, value: Value, sentinels: Mapping[str, float]) -> Measurement:
        prepared, slot = place.prepared, place.slot
        sentinels = {**sentinels, **self.around}  # what was seen before the turn holds for all of its samples
        sample = Sample(
            value=value.value,
            round=slot.round,
            position=slot.position,
            at=now() - self.started,
            warmup=slot.warmup,
            accelerator=prepared.accelerator,
            sentinels=dict(sentinels),
            excluded=exclusion.reason(sentinels),
        )
        return Measurement(
            scenario=place.scenario,
            target=slot.target,
            metric=value.metric,
            unit=value.unit,
            params=dict(value.params),
            image=ResultImage(reference=prepared.image.reference, digest=prepared.image.digest),
            boundary=prepared.boundary,
            samples=(sample,),
        )


class Scenario(Protocol):
    """One question, asked of every box where it makes sense."""

    name: str
    title: str
    warmups: int

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets on which the question makes sense."""

    def counts(self, mode: Mode, targets: Sequence[str]) -> Mapping[str, int]:
        """Return how many counted turns each target (or variant of one) gets."""

    def run(self, session: Session) -> None:
        """Measure and record. A start that fails is recorded as a failure; what was started is removed."""


def turns(scenario: Scenario, sizes: Sizes, targets: Sequence[str]) -> list[Slot]:
    """Return every turn of `scenario` on those of `targets` that it knows, in the order of the run."""
    present = [name for name in scenario.targets if name in targets]
    counts = {name: sizes.runs or own for name, own in scenario.counts(sizes.mode, present).items()}
    return list(schedule.blocks(list(counts), counts, sizes.seed, sizes.order, warmups=scenario.warmups))
