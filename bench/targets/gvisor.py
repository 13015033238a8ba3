"""gVisor: a kernel in user space between the workload and the host's."""

from bench.target import Target
from bench.targets.drivers import Drivers
from bench.targets.oci_runtime import Oci
from bench.targets.program import Program

# Of the platforms only these run without hardware virtualization. Debian's release of 2022 has ptrace as its
# default; systrap came later.
PLATFORM = "ptrace"
ROLES = {"runsc-sandbox": "gVisor sandbox", "runsc-gofer": "gVisor gofer"}


def target(drivers: Drivers) -> Target:
    """Return the target."""
    return Oci(
        drivers, "gvisor", f"sandboxed container (gVisor, {PLATFORM})", Program("runsc", "runsc"),
        f"runsc with the platform {PLATFORM}", options=("--platform", PLATFORM, "--network", "none"),
        roles=ROLES, note=f"; gVisor's platform is {PLATFORM}, and it heeds no filter of the bundle's",
    )  # fmt: skip
