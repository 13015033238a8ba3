"""What the tests of one session share: drivers, prepared boxes, and the result file."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from bench import exclusion
from bench.calibration import own_costs
from bench.clock import now
from bench.environment import survey
from bench.harness import Found, Plan, header
from bench.results import Calibration, Measurement, Sample, Writer, new_id
from bench.results import Image as ResultImage
from bench.scenarios.repeated import prepared
from bench.scenarios.startup import BOX
from bench.sizes import Sizes
from bench.targets.drivers import Drivers
from bench.targets.registry import targets
from bench.targets.residue import prune
from bench.targets.variants import offering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from bench.target import Launcher, Target
    from bench.variant import Variant

SCENARIO = "pytest"


class Laboratory:
    """Opens each target when a test first asks for it, and closes all of them at the end.

    A context manager. `file` gets the samples, by the schema of every result file; None keeps none.
    """

    def __init__(
        self,
        roots: tuple[Path, Path],
        names: Sequence[str],
        versions: Sequence[Variant],
        file: Path | None,
        command: tuple[str, ...],
    ) -> None:
        self._data, self._run = roots
        self._names, self._versions, self._file, self._command = names, versions, file, command
        self._stack = ExitStack()
        self._launchers: dict[str, Launcher] = {}
        self._numbers = iter(range(1, 1 << 30))
        self._positions = iter(range(1 << 30))
        self.said: list[str] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            prune(self._data, self._run, self.said.append)
            stack.enter_context(offering(self._versions))
            drivers = stack.enter_context(Drivers(self._data, self._run, None, self.said.append))
            self._began = now()
            known = targets(drivers)
            self._found = {name: Found(known[name], known[name].availability()) for name in self._names}
            self._writer = stack.enter_context(self._writing(self._file)) if self._file else None
            if self._writer:
                self._writer.calibrate(*own_costs())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def target(self, name: str) -> Target:
        """Return a target of this session."""
        return self._found[name].target

    def missing(self, name: str) -> str:
        """Return why a target can't run here, or nothing."""
        found = self._found[name].availability
        return "" if found.available else found.reason

    def launcher(self, name: str) -> Launcher:
        """Prepare a target once; errors as its `launcher`."""
        if name not in self._launchers:
            self._launchers[name] = self._stack.enter_context(prepared(self.target(name), BOX))
        return self._launchers[name]

    def fresh(self, name: str) -> str:
        """Return a name for an instance that no other has."""
        return f"pytest-{name}-{next(self._numbers)}"

    def record(
        self, name: str, test: str, number: int, values: Mapping[str, float], sentinels: Mapping[str, float]
    ) -> None:
        """Write the seconds of one start to the file; the first start of a target in a test is a warm-up."""
        if self._writer is None:
            return
        ready = self._launchers[name].prepared
        position, at = next(self._positions), now() - self._began
        self._writer.record(
            *(
                Measurement(
                    scenario=SCENARIO,
                    target=name,
                    metric=metric,
                    unit="s",
                    params={"test": test},
                    image=ResultImage(reference=ready.image.reference, digest=ready.image.digest),
                    boundary=ready.boundary,
                    samples=(
                        Sample(
                            value=value,
                            round=number,
                            position=position,
                            at=at,
                            warmup=number == 0,
                            accelerator=ready.accelerator,
                            sentinels=dict(sentinels),
                            excluded=exclusion.reason(sentinels),
                        ),
                    ),
                )
                for metric, value in values.items()
            )
        )

    def listened(self, name: str, echoes: tuple[float, ...]) -> None:
        """Write to the file what the channel to an instance of a target costs, once: seconds of each echo."""
        if self._writer and name not in {one.target for one in self._writer.run.calibrations}:
            channel = self._launchers[name].prepared.channel
            self._writer.calibrate(Calibration(kind="echo", channel=channel, target=name, samples=echoes))

    def _writing(self, file: Path) -> Writer:
        plan = Plan(
            data=self._data,
            run=self._run,
            scenarios=(),
            file=file,
            sizes=Sizes("default", 0, "blocked"),
            command=self._command,
            identity=new_id(),
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        return Writer(file, header(plan, list(self._found.values()), survey(self._data)))
