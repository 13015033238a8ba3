"""Run tests inside a guest, under systemd's delegated tree of a host with pure cgroup v2.

`python -m tests.guest.run [pytest arguments]` boots a whole Debian (flavour `vm-full`), gives it a disk with
this tree, and runs pytest there in a scope to which systemd has delegated every controller. Exits with
pytest's own status; options alone (each one word) go with all of the tests. Under emulation everything takes
some fifteen times as long.
"""

import os
import sys
from pathlib import Path

from tests.guest.machine import machine

DATA = Path(os.environ.get("TARE_TEST_ROOT", "/var/tmp/tare-test"))  # the tests' own root, as in conftest.py
PATIENCE = float(os.environ.get("TARE_GUEST_PATIENCE", "14400"))  # seconds
_PRIVILEGED = (
    "container", "container_cli", "container_life", "container_limits", "native_process", "starter", "vfork",
    "cgroup_real", "oci_lifecycle", "confinement", "mounts_oci", "network_bridge", "network_crash",
    "engine_network", "engine_life",
    "rootless_oci", "rootless_cgroup", "oci_podman", "oci_dockerd", "apparmor",
)  # fmt: skip
TESTS = (
    "tests/guest/pure_v2.py",
    *(f"tests/privileged/test_{name}.py" for name in _PRIVILEGED),
    "tests/conformance",
)
CGROUPS = "grep cgroup /proc/self/mountinfo; cat /sys/fs/cgroup/cgroup.controllers"


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Boot, run, print what pytest says, destroy; returns pytest's status."""
    with machine(DATA, PATIENCE, say) as guest:
        say(f"guest is up ({guest.accelerator})")
        say(guest.execute(CGROUPS).output)
        named = any(not word.startswith("-") for word in arguments)
        return guest.follow([*arguments, *(() if named else TESTS)], say)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
