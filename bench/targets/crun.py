"""crun, the OCI runtime in C."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from bench.target import Target
from bench.targets.arena import arena, hybrid
from bench.targets.drivers import Drivers
from bench.targets.oci_runtime import Oci
from bench.targets.program import Program


@dataclass(frozen=True)
class Crun(Oci):
    """On a hybrid host in a mount namespace that does not show the version 2 tree."""

    def around(self) -> AbstractContextManager[tuple[str, ...]]:
        """Give the words that come before the program's."""
        return arena(self.drivers.spawner, self.name) if hybrid() else nullcontext(())


def target(drivers: Drivers) -> Target:
    """Return the target."""
    return Crun(
        drivers, "crun", "container (crun)", Program("crun", "crun"),
        "an OCI runtime, from a bundle of Tare's",
        note="; on a hybrid cgroup host its command is preceded by nsenter into a mount namespace",
    )  # fmt: skip
