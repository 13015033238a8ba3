"""Run tests inside a guest, under systemd's delegated tree of a host with pure cgroup v2.

`python -m tests.guest.run [pytest arguments]` boots a whole Debian (flavour `vm-full`), gives it a disk with
this tree, and runs pytest there in a scope to which systemd has delegated every controller. Exits with
pytest's own status. Under emulation everything takes some fifteen times as long.
"""

import shlex
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path

from bench.channel import Channel
from bench.target import Box
from bench.targets.drivers import Drivers
from tests.guest.image import disk, image
from vmdriver import boot
from vmdriver.spec import Disk, GuestSpec

DATA = Path("/var/tmp/tare-test")  # the tests' own root, as in conftest.py
TESTS = ("tests/privileged/test_container.py", "tests/privileged/test_container_life.py",
         "tests/privileged/test_container_limits.py", "tests/privileged/test_native_process.py")  # fmt: skip
PATIENCE = 3600.0
BOX = Box(workload="bench", memory=2 << 30, cpus=2)

SCRIPT = """set -e
mkdir -p /tests; mount -o ro /dev/vdb /tests; mkdir -p /work; cp -a /tests/tare/. /work/; cd /work
grep cgroup /proc/self/mountinfo; cat /sys/fs/cgroup/cgroup.controllers
exec systemd-run --quiet --scope -p Delegate=yes env PYTHONPATH=/tests/wheels PYTHONDONTWRITEBYTECODE=1 \
  HOME=/root LC_ALL=C.UTF-8 TARE_TEST_ROOT=/work/.data \
  python3 -m pytest -p no:cacheprovider -o timeout={patience} {tests}
"""


def specification(drivers: Drivers, tests: Path) -> GuestSpec:
    """Return the guest: the machine's disk, and the tests' disk behind it."""
    found, made = drivers.accelerator, image(drivers)
    machine = boot.full(
        drivers.store.checkout(made), str(made.digest), data=drivers.data, accelerator=found.acceleration,
        memory=BOX.memory, cpus=BOX.cpus, cpu=found.cpu, name=f"guest-{uuid.uuid4().hex[:8]}",
    )  # fmt: skip
    return replace(machine, disks=(*machine.disks, Disk(tests, readonly=True)))


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Boot, run, print what pytest said, destroy; returns pytest's status."""
    deadline = time.monotonic() + PATIENCE
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        Drivers(DATA, DATA / "run", None, print) as drivers,
    ):
        spec = specification(drivers, disk(Path(folder)))
        guest = drivers.hypervisor.start(spec)
        try:
            console = guest.console.fileno() if guest.console else None
            channel = Channel(guest.agent.fileno(), console)
            channel.wait("listening", deadline=deadline)
            say(f"guest is up ({spec.accelerator})")
            words = shlex.join(arguments or TESTS)
            script = SCRIPT.format(patience=600, tests=words)
            done = channel.execute(f"sh -c {shlex.quote(script)} 2>&1".replace("\n", ";"), deadline)
        finally:
            guest.destroy()
    say(done.output)
    return done.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
