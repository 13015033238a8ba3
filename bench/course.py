"""Which turns are taken: warm-ups until warm, runs until precise, none too late, and spares as needed."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import precision, warmup
from bench.spares import Spares

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.results import Measurement, Run
    from bench.schedule import Slot

Series = tuple[str, tuple[tuple[str, object], ...]]


@dataclass
class Course:
    """What one scenario has measured so far, and what of that decides about further turns.

    `decisive` is the metric that has to be precise, of every set of parameters ("": none). `precise` is the
    share of the median that is asked for, or None. All decisions follow from the samples alone, each from
    those of earlier rounds, so a run that is resumed decides as if it had never been cut off.
    """

    decisive: str = ""
    precise: float | None = None
    warmups: int = 0
    spares: Spares = field(default_factory=lambda: Spares({}, ()))
    done: set[tuple[int, int]] = field(default_factory=set)
    failed: set[tuple[int, str]] = field(default_factory=set)
    _warm: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    _counted: dict[str, dict[Series, list[tuple[int, float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def note(self, measurements: Iterable[Measurement]) -> None:
        """Learn what was measured."""
        for one in measurements:
            series = one.metric, tuple(sorted(one.params.items()))
            for sample in one.samples:
                self.done.add((sample.round, sample.position))
                self.spares.note(sample)
                if one.metric != self.decisive:
                    continue
                if sample.warmup:
                    self._warm[one.target].append((sample.round, sample.value))
                elif sample.excluded is None:
                    self._counted[one.target][series].append((sample.round, sample.value))

    def recall(self, run: Run, scenario: str) -> None:
        """Learn what a run that was cut off had measured; what failed in it is not tried again."""
        self.note(one for one in run.measurements if one.scenario == scenario)
        # A preparation that failed has round 0 too, and that is worth another try.
        self.failed |= {(f.round, f.target) for f in run.failures if f.scenario == scenario and f.round}

    def wants(self, slot: Slot) -> bool:
        """Tell whether `slot` is to be taken."""
        if slot.warmup:
            earlier = [value for number, value in sorted(self._warm[slot.target]) if number < slot.round]
            return not warmup.is_warm(earlier, self.warmups)
        if slot.spares:
            return self.spares.wants(slot)
        return self.precise is None or not self._is_precise(slot, self.precise)

    def is_done(self, slot: Slot) -> bool:
        """Tell whether `slot` was taken before the run was cut off."""
        return (slot.round, slot.position) in self.done or (slot.round, slot.target) in self.failed

    def _is_precise(self, slot: Slot, share: float) -> bool:
        # Only whole blocks decide: half of one would leave its mirror image out.
        known = self._counted[slot.target]
        groups = [[value for number, value in sorted(one) if number < slot.block] for one in known.values()]
        return bool(groups) and all(precision.needed(one, share) <= len(one) for one in groups)


@dataclass
class Deadline:
    """When a run has to be over, by the host's clock; what is left is shared by the scenarios to come."""

    at: float = math.inf
    cut: dict[str, int] = field(default_factory=dict)

    def share(self, now: float, scenarios: int) -> float:
        """Return the moment at which the next of `scenarios` has to end."""
        return now + (self.at - now) / scenarios

    def miss(self, label: str) -> None:
        """Note a turn for which there was no time."""
        self.cut[label] = self.cut.get(label, 0) + 1

    def shortfall(self) -> str:
        """Say which turns were left out."""
        return ", ".join(f"{count} of {label}" for label, count in self.cut.items())
