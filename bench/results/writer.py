"""Writes a run's file so that it is complete, valid JSON at every moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import msgspec

from bench.errors import ImpossibleFigure
from bench.results.atomic import replace_file
from bench.results.checks import label, problems
from bench.results.identity import timestamp
from bench.results.schema import validate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from bench.results.model import (
        Calibration,
        Caveat,
        Environment,
        Failure,
        Measurement,
        Parameter,
        Run,
        Sample,
        Target,
    )

Key = tuple[str, str, str, tuple[tuple[str, "Parameter"], ...]]


class Writer:
    """Owns the file at `path` from before the first sample to the end of the run.

    A context manager: entering writes the header, leaving without an exception sets `finished`. Every
    method writes the whole file to a temporary neighbour and renames it over the old one (rename(2) is
    atomic), so a reader or a crash finds the state before or after, never half of it. Call between
    samples only. Errors: `BenchFault` "host" when the disk is full or the path can't be written (the
    earlier content stays), "failed" when a sample breaks a rule of `bench.results.checks`.
    """

    def __init__(self, path: Path, header: Run) -> None:
        self.path = path.resolve()
        self._header = header
        self._targets = {target.name: target for target in header.targets}
        self._measurements: dict[Key, Measurement] = {}
        self._samples: dict[Key, list[Sample]] = {}
        self._failures = list(header.failures)
        self._warnings = list(header.warnings)
        self._calibrations = list(header.calibrations)
        self._verdicts = list(header.verdicts)

    def __enter__(self) -> Self:
        self.record(*self._header.measurements)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()

    @property
    def run(self) -> Run:
        """The run as it stands now."""
        measurements = tuple(
            msgspec.structs.replace(head, samples=tuple(self._samples[key]))
            for key, head in self._measurements.items()
        )
        return msgspec.structs.replace(
            self._header,
            calibrations=tuple(self._calibrations),
            measurements=measurements,
            verdicts=tuple(self._verdicts),
            failures=tuple(self._failures),
            warnings=tuple(self._warnings),
        )

    def record(self, *measurements: Measurement) -> None:
        """Add the samples that each of `measurements` carries to those of the same measurement."""
        for measurement in measurements:
            self._check(measurement)
        for measurement in measurements:
            key = _key(measurement)
            self._measurements.setdefault(key, msgspec.structs.replace(measurement, samples=()))
            self._samples.setdefault(key, []).extend(measurement.samples)
        self._write()

    def fail(self, failure: Failure) -> None:
        """Add a failure."""
        self._failures.append(failure)
        self._write()

    def calibrate(self, *calibrations: Calibration) -> None:
        """Add what measuring costs."""
        self._calibrations.extend(calibrations)
        self._write()

    def conclude(self, verdicts: Iterable[dict[str, Any]]) -> None:
        """Set the verdicts, which follow from all samples."""
        self._verdicts = list(verdicts)
        self._write()

    def warn(self, *warnings: Caveat) -> None:
        """Add the warnings that are not there yet."""
        self._warnings.extend(new for new in dict.fromkeys(warnings) if new not in self._warnings)
        self._write()

    def describe(
        self, *, environment: Environment | None = None, targets: tuple[Target, ...] | None = None
    ) -> None:
        """Replace what was known of the environment or the targets when the run began."""
        if environment is not None:
            self._header = msgspec.structs.replace(self._header, environment=environment)
        if targets is not None:
            known = {target.name: target for target in targets}
            for problem in (p for measurement in self.run.measurements for p in problems(measurement, known)):
                raise _refused(problem)
            self._header = msgspec.structs.replace(self._header, targets=targets)
            self._targets = known
        self._write()

    def finish(self) -> Run:
        """Set `finished` to the present time, write, check the file against the schema, return the run."""
        self._header = msgspec.structs.replace(self._header, finished=timestamp())
        self._write(durable=True)
        run = self.run
        validate(run, origin=str(self.path))
        return run

    def _check(self, measurement: Measurement) -> None:
        for problem in problems(measurement, self._targets):
            raise _refused(problem)
        known = self._measurements.get(_key(measurement))
        if known is not None and known != msgspec.structs.replace(measurement, samples=()):
            raise _refused(f"{label(measurement)}: its unit, image or boundary changed during the run")

    def _write(self, *, durable: bool = False) -> None:
        data = msgspec.json.format(msgspec.json.encode(self.run), indent=1)
        replace_file(self.path, data + b"\n", durable=durable)


def _key(measurement: Measurement) -> Key:
    parameters = tuple(sorted(measurement.params.items()))
    return measurement.scenario, measurement.target, measurement.metric, parameters


def _refused(problem: str) -> ImpossibleFigure:
    return ImpossibleFigure(
        f"refused to record a sample: {problem}",
        hint="this is a defect of the measurement, not of the host; please report it with this line",
    )
