"""Writes a run's file so that it and its journal together are complete at every moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import msgspec

from bench.errors import ImpossibleFigure
from bench.results.atomic import replace_file
from bench.results.checks import label, problems
from bench.results.growing import Growing
from bench.results.identity import timestamp
from bench.results.journal import Addition, Journal
from bench.results.reader import encode
from bench.results.schema import validate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from bench.results.model import Calibration, Caveat, Environment, Failure, Measurement, Run, Target

SHORT = 64 * 1024
"""Bytes up to which a journal grows in any case before the file is written anew."""


class Writer:
    """Owns the file at `path` from before the first sample to the end of the run.

    A context manager: entering writes the header, leaving without an exception sets `finished`. What is
    recorded is appended to a journal beside the file (`bench.results.journal`). Whenever that has grown
    longer than the file, the whole file is written to a temporary neighbour and renamed over the old one
    (rename(2) is atomic) and the journal begun anew: so a reader or a crash finds the state before or after,
    never half of it, and all that is written in a run is a small multiple of the file. `finish` leaves the
    file alone. Call between samples only. Errors: `BenchFault` "host" when the disk is full or the path
    can't be written (the earlier content stays), "failed" when a sample breaks a rule of
    `bench.results.checks`.
    """

    def __init__(self, path: Path, header: Run) -> None:
        self.path = path.resolve()
        self._state = Growing(header)
        self._targets = {target.name: target for target in header.targets}
        self._journal: Journal | None = None
        self._resumed = bool(header.resumed)
        self._size = 0

    def __enter__(self) -> Self:
        for measurement in self.run.measurements:
            self._check(measurement)
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            if self._journal:
                self._journal.close()

    @property
    def run(self) -> Run:
        """The run as it stands now."""
        return self._state.run

    def record(self, *measurements: Measurement) -> None:
        """Add the samples that each of `measurements` carries to those of the same measurement."""
        for measurement in measurements:
            self._check(measurement)
        self._add(Addition(measurements=measurements))

    def fail(self, failure: Failure) -> None:
        """Add a failure."""
        self._add(Addition(failures=(failure,)))

    def calibrate(self, *calibrations: Calibration) -> None:
        """Add what measuring costs."""
        self._add(Addition(calibrations=calibrations))

    def warn(self, *warnings: Caveat) -> None:
        """Add the warnings that are not there yet."""
        known = self._state.rest.warnings
        self._add(Addition(warnings=tuple(new for new in dict.fromkeys(warnings) if new not in known)))

    def conclude(self, verdicts: Iterable[dict[str, Any]]) -> None:
        """Set the verdicts, which follow from all samples."""
        self._state.rest = msgspec.structs.replace(self._state.rest, verdicts=tuple(verdicts))
        self._write()

    def describe(
        self, *, environment: Environment | None = None, targets: tuple[Target, ...] | None = None
    ) -> None:
        """Replace what was known of the environment or the targets when the run began."""
        if environment is not None:
            self._state.rest = msgspec.structs.replace(self._state.rest, environment=environment)
        if targets is not None:
            known = {target.name: target for target in targets}
            for problem in (p for measurement in self.run.measurements for p in problems(measurement, known)):
                raise _refused(problem)
            self._state.rest = msgspec.structs.replace(self._state.rest, targets=targets)
            self._targets = known
        self._write()

    def finish(self) -> Run:
        """Set `finished` to the present time, write, check the file against the schema, return the run."""
        self._state.rest = msgspec.structs.replace(self._state.rest, finished=timestamp())
        self._replace(durable=True)
        if self._journal:
            self._journal.remove()
        run = self.run
        validate(run, origin=str(self.path))
        return run

    def _check(self, measurement: Measurement) -> None:
        for problem in problems(measurement, self._targets):
            raise _refused(problem)
        known = self._state.head(measurement)
        if known is None or known == msgspec.structs.replace(measurement, samples=()):
            return
        if self._resumed:
            raise ImpossibleFigure(
                f"{label(measurement)}: its image, boundary or unit is another one than before the run was "
                "cut off: these would be samples of two things",
                hint="start a new run; what this one has stays in its file",
            )
        raise _refused(f"{label(measurement)}: its unit, image or boundary changed during the run")

    def _add(self, new: Addition) -> None:
        self._state.add(new)
        if self._journal is None or self._journal.size > max(SHORT, self._size):
            self._write()
        else:
            self._journal.add(new)

    def _write(self) -> None:
        """Write the whole file, to which the journal so far no longer belongs, and begin a new one."""
        content = self._replace(durable=False)
        if self._journal:
            self._journal.close()
        self._journal = None
        self._journal = Journal(self.path, self._state.rest.id, content)

    def _replace(self, *, durable: bool) -> bytes:
        data = encode(self.run)
        replace_file(self.path, data, durable=durable)
        self._size = len(data)
        return data


def _refused(problem: str) -> ImpossibleFigure:
    return ImpossibleFigure(
        f"refused to record a sample: {problem}",
        hint="this is a defect of the measurement, not of the host; please report it with this line",
    )
