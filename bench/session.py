"""What a run gives a scenario: targets, sizes, an order, quiet moments, and a place for samples."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import calibration, exclusion
from bench.clock import now
from bench.course import Course, Deadline
from bench.errors import BenchFault
from bench.results import Calibration, Failure, Measurement, Sample
from bench.results import Image as ResultImage
from bench.sentinels import Sentinels
from bench.spares import Spares
from bench.turns import counts, spare_turns, turns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from bench.channel import Channel
    from bench.progress import Progress
    from bench.results import Run, Writer
    from bench.scenario import Scenario
    from bench.schedule import Slot
    from bench.sizes import Sizes
    from bench.target import Prepared, Target
    from bench.trial import Trial, Trials
    from bench.value import Value

SEEN_AROUND = ("load_other",)
QUIET = 0.15
"""Seconds of our own idleness before a turn, long enough for the kernel's ticks to show other load."""
LOOKS = 7
"""So often a quiet moment is looked for before a turn is taken that will be set aside: for a second."""
FRESH = 0.5
"""Seconds for which such a look holds: quick targets share one a round, and are set aside together."""


def _no_trials(scenario: str, target: str) -> AbstractContextManager[Trial]:
    raise BenchFault(
        f"there is no trial of {scenario} on {target}", hint="run it with `tare run`", kind="usage"
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value belongs: scenario, target, its turn, and what was prepared for it."""

    scenario: str
    slot: Slot
    prepared: Prepared


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
    deadline: Deadline = field(default_factory=Deadline)
    ends: float = math.inf
    earlier: Run | None = None
    course: Course = field(default_factory=Course)
    trials: Trials = _no_trials

    def chosen(self, scenario: Scenario) -> list[str]:
        """Return the targets of `scenario` that this run measures, in the scenario's order."""
        return [
            name
            for name in scenario.targets
            if name in self.targets and self.sizes.wants(scenario.name, name)
        ]

    def slots(self, scenario: Scenario, without: Collection[str] = ()) -> Iterator[Slot]:
        """Yield every turn of `scenario`, after a quiet moment each; those of targets in `without` fall out.

        The order of the others is the one that was planned; what was set aside is taken again at the end.
        Left out are also warm-ups of what is warm, turns of what is precise enough, what an earlier part of
        the run has taken, and what is too late.
        """
        self.looked = -math.inf
        self.sentinels = Sentinels()  # what went on while this scenario was prepared is no disturbance
        planned = turns(scenario, self.sizes, self.chosen(scenario))
        again = spare_turns(scenario, self.sizes, self.chosen(scenario))
        self.course = self._course(scenario, (*planned, *again))
        ahead = [
            turn
            for turn in (*planned, *again)
            if turn.target not in without and not self.course.is_done(turn)
        ]
        for turn in set(planned).difference(ahead):
            self.progress.skip(f"{scenario.name} {turn.target}")
        for turn in ahead:
            label = f"{scenario.name} {turn.target}"
            if not self._takes(turn, label):
                if not turn.spares:
                    self.progress.skip(label)
                continue
            if turn.spares:
                self.progress.plan([label])
            self.progress.begin(label)
            self._look_around()
            yield turn
            self.progress.end(label)

    def _course(self, scenario: Scenario, slots: Sequence[Slot]) -> Course:
        course = Course(
            scenario.decisive,
            self.sizes.precision if scenario.decisive else None,
            scenario.warmups,
            Spares(counts(scenario, self.sizes, self.chosen(scenario)), slots),
        )
        if self.earlier:
            course.recall(self.earlier, scenario.name)
        return course

    def _takes(self, turn: Slot, label: str) -> bool:
        if not self.course.wants(turn):
            return False
        if now() < self.ends:
            return True
        if not turn.spares:
            self.deadline.miss(label)
        return False

    def _look_around(self) -> None:
        """Wait a while for a moment in which nobody else disturbs; the last look goes with the samples."""
        if now() - self.looked < FRESH:
            return
        for _ in range(LOOKS):
            self.around = self._seen()
            if exclusion.reason(self.around) is None:
                break
        self.looked = now()

    def _seen(self) -> dict[str, float]:
        """Let the sentinels watch a moment in which we do nothing: what is busy then is somebody else."""
        self.sentinels.start()
        self.sentinels.stop()
        time.sleep(QUIET)
        self.sentinels.start()
        seen = self.sentinels.stop()
        return {name: seen[name] for name in SEEN_AROUND if name in seen}

    def record(self, place: Place, values: Sequence[Value], sentinels: Mapping[str, float]) -> None:
        """Write the values of one run to the file, with what disturbed it."""
        found = [self._measurement(place, value, sentinels) for value in values]
        self.writer.record(*found)
        self.course.note(found)

    def listen(self, target: str, prepared: Prepared, channel: Channel) -> None:
        """Find out once in a run what the channel to an instance of `target` costs; it has to be ready."""
        known = {one.target for one in self.writer.run.calibrations}
        if target not in known:
            found = calibration.echoes(channel)
            self.writer.calibrate(
                Calibration(kind="echo", channel=prepared.channel, target=target, samples=found)
            )

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
            excluded=None if value.steady else exclusion.reason(sentinels),
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
