"""Which trial a scenario has on a target."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from bench.errors import BenchFault
from bench.targets.drivers import Drivers
from bench.trial import Trial
from bench.trials import build, distribution, registry_trial

Make = Callable[[Drivers], AbstractContextManager[Trial]]

TRIALS: Mapping[tuple[str, str], Make] = {
    ("build", "container"): build.tare,
    ("build", "docker"): build.docker,
    ("registry", "container"): registry_trial.prepare,
    ("distribution", "container"): distribution.layers,
    ("distribution", "vm"): distribution.disks,
}


def opened(drivers: Drivers, scenario: str, target: str) -> AbstractContextManager[Trial]:
    """Return the trial that is to be entered; BenchFault of kind `usage` where there is none."""
    make = TRIALS.get((scenario, target))
    if make is None:
        raise BenchFault(
            f"{scenario} can't be tried on {target}",
            hint="`tare list scenarios` shows what goes",
            kind="usage",
        )
    return make(drivers)
