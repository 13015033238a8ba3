"""Every target that is installed, made from its entry point; one that can't be loaded says so itself."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import EntryPoint

from bench.errors import BenchFault
from bench.target import Availability, Box, Kind, Launcher, Target
from bench.targets import installed
from bench.targets.drivers import Drivers
from bench.targets.variants import offered


@dataclass(frozen=True)
class Broken:
    """A target whose code can't be loaded."""

    name: str
    reason: str
    kind: Kind = "container"

    @property
    def title(self) -> str:
        """Say what is known of it."""
        return f"{self.name} (broken)"

    def availability(self) -> Availability:
        """Say why it can't run."""
        return Availability(available=False, reason=self.reason)

    def launcher(self, box: Box) -> AbstractContextManager[Launcher]:
        """Refuse."""
        raise BenchFault(
            f"{self.name} can't prepare {box.workload}: {self.reason}",
            hint="mend or uninstall the package that brings it",
            kind="host",
        )


def targets(drivers: Drivers) -> Mapping[str, Target]:
    """Return all targets over one set of drivers, and the offered versions; nothing is opened yet."""
    known = {name: _made(entry, drivers) for name, entry in installed.found().items()}
    return known | {version.name: version for version in offered(drivers)}


def _made(entry: EntryPoint, drivers: Drivers) -> Target:
    """Call what the entry point names with the drivers; whatever a stranger's code raises ends only that."""
    try:
        target: Target = entry.load()(drivers)
    except Exception as error:  # noqa: BLE001 - the code of another package
        return Broken(entry.name, f"{entry.value} can't be loaded: {type(error).__name__}: {error}")
    if target.name != entry.name:
        return Broken(entry.name, f"{entry.value} calls itself {target.name!r}")
    return target
