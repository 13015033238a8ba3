"""Takes up a run that was cut off: the same file, order and seed, and what it has is not measured again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench.errors import BenchFault
from bench.results import Caveat, load, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bench.results import Environment, Measurement, Run
    from bench.scenario import Scenario

Turn = tuple[str, int, int]


def unfinished(path: Path) -> Run:
    """Read a run that was cut off.

    Raises `BenchFault`: "usage" when it ended in order, and what `bench.results.load` raises.
    """
    run = load(path)
    if run.finished is not None:
        raise BenchFault(
            f"the run in {path} ended in order: there is nothing to resume",
            hint=f"`tare report {path}` shows it",
            kind="usage",
        )
    return run


def taken_up(old: Run, now: Run, scenarios: Iterable[Scenario]) -> Run:
    """Return the run as it goes on: `old` with a note, checked against what `now` finds here.

    A turn that may be half recorded is dropped and taken again. Raises `BenchFault` ("host") when the targets
    that can run here are others than those of `old`: the order of the rest would be another.
    """
    before, after = ({t.name for t in run.targets if t.available} for run in (old, now))
    if before != after:
        changed = ", ".join(sorted(before ^ after))
        raise BenchFault(
            f"the targets that can run here have changed since the run began: {changed}",
            hint="mend that, or start a new run: the order of the turns depends on the targets",
            kind="host",
        )
    differing = changes(old.environment, now.environment)
    note = (
        Caveat(
            code="resumed",
            text="the run was cut off and resumed on a host that has changed: " + ", ".join(differing),
            remedy="start a new run: parts of this one were taken under other conditions",
        ),
    )
    return msgspec.structs.replace(
        old,
        resumed=(*old.resumed, timestamp()),
        measurements=_whole(old, {scenario.name: scenario.at_once for scenario in scenarios}),
        warnings=(*old.warnings, *(note if differing else ())),
    )


def changes(old: Environment, now: Environment) -> list[str]:
    """Name what differs of the facts that can move a number and do not change by themselves."""
    facts = {
        "virtualization": (old.virtualization, now.virtualization),
        "cgroups": (old.cgroup, now.cgroup),
        "kernel": (old.kernel.release, now.kernel.release),
        "clock source": (old.kernel.clocksource, now.kernel.clocksource),
        "processor": (old.cpu, now.cpu),
        "memory": (old.memory.total, now.memory.total),
        "accelerators": (names(old), names(now)),
        "versions": (old.versions, now.versions),
    }
    return [name for name, (before, after) in facts.items() if before != after]


def names(environment: Environment) -> Mapping[str, str]:
    """Return the accelerators by target; what their proof took is another each time."""
    return {target: proof.name for target, proof in environment.accelerators.items()}


def _whole(run: Run, at_once: Mapping[str, bool]) -> tuple[Measurement, ...]:
    last = _last(run)
    if last is None or at_once.get(last[0], False):
        return run.measurements
    kept = (
        msgspec.structs.replace(
            m, samples=tuple(s for s in m.samples if (m.scenario, s.round, s.position) != last)
        )
        for m in run.measurements
    )
    return tuple(measurement for measurement in kept if measurement.samples)


def _last(run: Run) -> Turn | None:
    found = [(s.at, (m.scenario, s.round, s.position)) for m in run.measurements for s in m.samples]
    return max(found)[1] if found else None


def elapsed(run: Run) -> float:
    """Return the seconds into the run at which its last sample was taken."""
    return max((s.at for m in run.measurements for s in m.samples), default=0.0)
