"""What the index keeps of a run: enough to list it and to draw its place in a history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench.compare.facts import described
from bench.errors import BenchFault
from bench.results import load
from bench.results.model import Parameter, Unit  # noqa: TC001 - msgspec reads the annotations
from bench.stats.summary import summarise

if TYPE_CHECKING:
    from pathlib import Path

    from bench.stats.summary import Summary


class Figure(msgspec.Struct, frozen=True):
    """The median of one measurement with its interval, in the file's unit; `n` samples counted."""

    scenario: str
    target: str
    metric: str
    unit: Unit
    params: dict[str, Parameter]
    n: int
    median: float
    low: float | None
    high: float | None

    @property
    def series(self) -> tuple[str, str, str, str]:
        """What tells one history from another: scenario, target, metric, parameters in words."""
        words = " ".join(f"{name}={value}" for name, value in sorted(self.params.items()))
        return self.scenario, self.target, self.metric, words


class Entry(msgspec.Struct, frozen=True):
    """One stored run. `key` is its file's name without `.json`; `fault` says why a file can't be read."""

    key: str
    identity: str = ""
    started: str = ""
    finished: str | None = None
    mode: str = ""
    command: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    facts: dict[str, str] = {}
    failures: int = 0
    fault: str = ""

    @property
    def state(self) -> str:
        """Say in a word or two how the run ended."""
        if self.fault:
            return "damaged"
        if self.finished is None:
            return "unfinished"
        return f"{self.failures} failed" if self.failures else "complete"


def read(path: Path) -> Entry:
    """Describe the run in `path`; a file that is no readable run becomes an entry with its fault."""
    try:
        run = load(path)
    except BenchFault as fault:
        return Entry(key=path.stem, fault=str(fault))
    measured = [m for m in run.measurements if m.samples]
    return Entry(
        key=path.stem,
        identity=run.id,
        started=run.started,
        finished=run.finished,
        mode=run.mode,
        command=run.command,
        scenarios=tuple(dict.fromkeys(m.scenario for m in measured)),
        targets=tuple(dict.fromkeys(m.target for m in measured)),
        figures=tuple(figure for s in summarise(run) if (figure := _figure(s))),
        facts=described(run),
        failures=len(run.failures),
    )


def _figure(s: Summary) -> Figure | None:
    if s.estimate is None:
        return None
    e = s.estimate
    return Figure(s.scenario, s.target, s.metric, s.unit, s.params, s.n, e.value, e.low, e.high)
