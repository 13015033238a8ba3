"""From a run to what a report shows: boxes with their names and colours, samples as a table, figures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import pandas as pd

from bench import stats
from bench.results import decode
from bench.stats.gate import gates
from reports import palette

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.results import Proof, Run, Target
    from bench.results.model import Parameter
    from bench.stats.gate import Gate

BASELINES = ("native", "container")
COLUMNS = ("scenario", "target", "series", "metric", "unit", "value", "round", "position", "at", "warmup",
           "accelerator", "excluded")  # fmt: skip
ACCELERATORS = {"tcg": "TCG", "kvm": "KVM", "kvm-nested": "nested KVM", "uml": "user mode"}


@dataclass(frozen=True)
class Box:
    """A target as people see it. `accelerators` are those that its samples carry, proof or not."""

    target: Target
    accelerators: tuple[str, ...]
    proof: Proof | None

    @property
    def name(self) -> str:
        """The target's name, as on the command line."""
        return self.target.name

    @property
    def colour(self) -> str:
        """The target's colour, `#rrggbb`."""
        return palette.target(self.name)

    @property
    def emulated(self) -> bool:
        """True when any of its samples ran under emulation."""
        return "tcg" in self.accelerators

    @property
    def accelerator(self) -> str:
        """The accelerator as a word for labels; empty for what is no VM, "unproven" where none is known."""
        words = " and ".join(ACCELERATORS.get(name, name) for name in self.accelerators)
        return words or ("accelerator unproven" if self.target.kind == "vm" else "")

    @property
    def evidence(self) -> tuple[str, ...]:
        """What speaks for its state: the proof of the accelerator, and the reason if that says more."""
        if self.proof is None:
            return (self.target.reason,) if self.target.reason else ()
        proof, reason = self.proof.proof, self.target.reason
        took = "" if self.proof.seconds is None else f"{self.proof.seconds:.1f} s"
        first = proof if took in proof else f"{proof} ({took})"
        return (first,) if not reason or proof in reason else (first, reason)

    @property
    def label(self) -> str:
        """Name and, for a VM, accelerator: `vm (TCG)`. No VM is ever named without it."""
        return f"{self.name} ({self.accelerator})" if self.accelerator else self.name


@dataclass(frozen=True)
class View:
    """A run and the exact bytes that it was read from; everything else is derived when asked for."""

    run: Run
    raw: bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the result file, in hexadecimal."""
        return hashlib.sha256(self.raw).hexdigest()

    @cached_property
    def boxes(self) -> dict[str, Box]:
        """All targets that the run knew, in its order."""
        return {target.name: self._box(target) for target in self.run.targets}

    @cached_property
    def measured(self) -> dict[str, Box]:
        """The targets that have at least one sample."""
        seen = {m.target for m in self.run.measurements if m.samples}
        return {name: box for name, box in self.boxes.items() if name in seen}

    @cached_property
    def emulated(self) -> tuple[Box, ...]:
        """The measured targets that ran under emulation."""
        return tuple(box for box in self.measured.values() if box.emulated)

    @cached_property
    def ordered(self) -> Run:
        """The run with its measurements in the order of its targets, not in that of a random schedule."""
        places = {name: place for place, name in enumerate(self.boxes)}
        rows = sorted(self.run.measurements, key=lambda m: places[m.target])
        return msgspec.structs.replace(self.run, measurements=tuple(rows))

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row a sample: `COLUMNS`, and one column for every parameter."""
        rows = [
            {
                "scenario": m.scenario, "target": m.target, "series": series(m.target, m.params),
                "metric": m.metric, "unit": m.unit, "value": s.value, "round": s.round,
                "position": s.position, "at": s.at, "warmup": s.warmup, "accelerator": s.accelerator,
                "excluded": s.excluded, **{f"param_{name}": value for name, value in m.params.items()},
            }
            for m in self.ordered.measurements
            for s in m.samples
        ]  # fmt: skip
        return pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(COLUMNS))

    @cached_property
    def summaries(self) -> list[stats.Summary]:
        """Median, interval and counts of every measurement."""
        return stats.summarise(self.ordered)

    @cached_property
    def fits(self) -> list[stats.Fit]:
        """Marginal costs over `n`."""
        return stats.fits(self.ordered)

    @cached_property
    def ratios(self) -> dict[str, list[stats.Ratio]]:
        """Ratios to each baseline that was measured."""
        return {name: stats.ratios(self.ordered, name) for name in BASELINES if name in self.measured}

    @cached_property
    def gates(self) -> list[Gate]:
        """What each measurement with enough runs can detect, from the samples themselves."""
        return gates(self.ordered)

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios that have at least one sample, in the run's order."""
        return tuple(dict.fromkeys(m.scenario for m in self.run.measurements if m.samples))

    def of(self, scenario: str, metric: str | None = None) -> list[stats.Summary]:
        """Return the summaries of a scenario (and metric) that have a counted sample."""
        return [
            s
            for s in self.summaries
            if s.scenario == scenario and metric in (None, s.metric) and s.estimate is not None
        ]

    def select(self, scenario: str, metric: str) -> pd.DataFrame:
        """Return the samples of one metric, without warm-ups; excluded ones are still there."""
        table = self.samples
        return table[(table.scenario == scenario) & (table.metric == metric) & ~table.warmup.astype(bool)]

    def ratio(self, summary: stats.Summary, baseline: str) -> stats.Estimate | None:
        """Return `summary` over the baseline's value under the same parameters, if both exist."""
        for found in self.ratios.get(baseline, []):
            if (found.scenario, found.target, found.metric) == (
                summary.scenario, summary.target, summary.metric
            ) and found.params == summary.params:  # fmt: skip
                return found.estimate
        return None

    def _box(self, target: Target) -> Box:
        said = dict.fromkeys(
            sample.accelerator
            for measurement in self.run.measurements
            if measurement.target == target.name
            for sample in measurement.samples
            if sample.accelerator
        )
        proof = self.run.environment.accelerators.get(target.name)
        if not said and proof is not None:
            said = {proof.name: None}
        return Box(target, tuple(said), proof)


def series(target: str, params: Mapping[str, Parameter], *, without: tuple[str, ...] = ()) -> str:
    """Return what tells a line from another in one chart: the target, and parameters if it has any."""
    rest = [f"{name}={value}" for name, value in sorted(params.items()) if name not in without]
    return " ".join([target, *rest])


def read(path: Path) -> View:
    """Read a result file. Raises `bench.errors.BenchFault` as `bench.results.load` does."""
    from bench.results import content  # noqa: PLC0415 - errors about the file are its business

    raw = content(path)
    return View(decode(raw, origin=str(path)), raw)
