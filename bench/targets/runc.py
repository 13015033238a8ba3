"""runc, the reference implementation of the OCI runtime specification."""

from bench.target import Target
from bench.targets.drivers import Drivers
from bench.targets.oci_runtime import Oci
from bench.targets.program import Program


def target(drivers: Drivers) -> Target:
    """Return the target."""
    return Oci(
        drivers,
        "runc",
        "container (runc)",
        Program("runc", "runc"),
        "an OCI runtime, from a bundle of Tare's",
    )
