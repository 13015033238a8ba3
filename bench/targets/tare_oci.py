"""Tare's own runtime behind runc's command line."""

import sys
from pathlib import Path

from bench.target import Target
from bench.targets.drivers import Drivers
from bench.targets.oci_runtime import Oci
from bench.targets.program import Program


class Beside(Program):
    """The one of this environment, which need not be on the path."""

    @property
    def path(self) -> str:
        """The file beside the Python that runs this, or whichever is on the path."""
        own = Path(sys.executable).with_name(self.name)
        return str(own) if own.exists() else super().path

    @property
    def missing(self) -> str:
        """Say how to get it."""
        return "" if Path(self.path).exists() else f"{self.name} is not installed: ./bootstrap setup"


def target(drivers: Drivers) -> Target:
    """Return the target."""
    return Oci(
        drivers,
        "tare-oci",
        "container (tare-oci)",
        Beside("tare-oci", ""),
        "an OCI runtime, from a bundle of Tare's",
    )
