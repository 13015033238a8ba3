"""A run's lists while they grow: what is added joins what is there, in the writer and from a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from bench.results.journal import Addition
    from bench.results.model import Measurement, Parameter, Run, Sample

Key = tuple[str, str, str, tuple[tuple[str, "Parameter"], ...]]


class Growing:
    """A run to which much is added: `run` is the run as it stands."""

    def __init__(self, run: Run) -> None:
        self._rest = msgspec.structs.replace(run, measurements=())
        self._heads: dict[Key, Measurement] = {}
        self._samples: dict[Key, list[Sample]] = {}
        self.join(run.measurements)

    @property
    def run(self) -> Run:
        """The run as it stands now."""
        measurements = tuple(
            msgspec.structs.replace(head, samples=tuple(self._samples[key]))
            for key, head in self._heads.items()
        )
        return msgspec.structs.replace(self._rest, measurements=measurements)

    @property
    def rest(self) -> Run:
        """The run without its measurements."""
        return self._rest

    @rest.setter
    def rest(self, run: Run) -> None:
        self._rest = msgspec.structs.replace(run, measurements=())

    def add(self, new: Addition) -> None:
        """Put an addition at the ends of the lists."""
        self.join(new.measurements)
        if new.calibrations or new.failures or new.warnings:
            self._rest = msgspec.structs.replace(
                self._rest,
                calibrations=(*self._rest.calibrations, *new.calibrations),
                failures=(*self._rest.failures, *new.failures),
                warnings=(*self._rest.warnings, *new.warnings),
            )

    def join(self, measurements: tuple[Measurement, ...]) -> None:
        """Add the samples of each to those of the same measurement."""
        for one in measurements:
            key = _key(one)
            self._heads.setdefault(key, msgspec.structs.replace(one, samples=()))
            self._samples.setdefault(key, []).extend(one.samples)

    def head(self, like: Measurement) -> Measurement | None:
        """Return the measurement that samples of `like` would join, without samples."""
        return self._heads.get(_key(like))


def _key(measurement: Measurement) -> Key:
    parameters = tuple(sorted(measurement.params.items()))
    return measurement.scenario, measurement.target, measurement.metric, parameters
