"""A guest with pure cgroup v2 for the length of a block, and pytest in it."""

from __future__ import annotations

import shlex
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.channel import Channel
from bench.target import Box
from bench.targets.drivers import Drivers
from tests.guest.image import disk, image
from vmdriver import boot
from vmdriver.spec import Disk, GuestSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.channel import Finished

BOX = Box(workload="bench", memory=2 << 30, cpus=2)
MOUNT = "mkdir -p /tests && mount -o ro /dev/vdb /tests && sh /tests/tare/tests/guest/prepare.sh"
# Delegate=yes hands the scope every controller, and the promise that systemd keeps out of what is below it.
PYTEST = """cd /work && systemd-run --quiet --scope -p Delegate=yes env PYTHONPATH=/tests/wheels \
PYTHONDONTWRITEBYTECODE=1 HOME=/root LC_ALL=C.UTF-8 TARE_TEST_ROOT=/work/.data \
python3 -m pytest -p no:cacheprovider -o timeout=600"""


class Machine:
    """A guest that is up; every command has until `deadline`, in seconds of the monotonic clock."""

    def __init__(self, channel: Channel, deadline: float, accelerator: str) -> None:
        self._channel, self._deadline, self.accelerator = channel, deadline, accelerator

    def execute(self, command: str) -> Finished:
        """Run one line of shell; raises ChannelFault when the guest falls silent past the deadline."""
        return self._channel.execute(f"{{ {command}; }} 2>&1", self._deadline)

    def pytest(self, *words: str) -> Finished:
        """Run pytest with these arguments in a scope that systemd delegates; its status is the answer's."""
        return self.execute(f"{PYTEST} {shlex.join(words)}")


@contextmanager
def machine(data: Path, patience: float, say: Callable[[str], None]) -> Iterator[Machine]:
    """Boot the guest, for at most `patience` seconds, and destroy it.

    `data` keeps the image and the wheels; `say` hears of what takes long. Raises RuntimeFault or MachineFault
    if it can't be made, ChannelFault if it does not answer.
    """
    deadline = time.monotonic() + patience
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        Drivers(data, data / "run", None, say) as drivers,
    ):
        spec = _specification(drivers, disk(Path(folder), data))
        with drivers.hypervisor.start(spec) as guest:
            console = guest.console.fileno() if guest.console else None
            channel = Channel(guest.agent.fileno(), console)
            channel.wait("listening", deadline=deadline)
            made = Machine(channel, deadline, spec.accelerator)
            ready = made.execute(MOUNT)
            if ready.status:
                raise RuntimeError(f"the guest can't be prepared: {ready.output}")
            yield made


def _specification(drivers: Drivers, tests: Path) -> GuestSpec:
    found, made = drivers.accelerator, image(drivers)
    whole = boot.full(
        drivers.store.checkout(made), str(made.digest), data=drivers.data, accelerator=found.acceleration,
        memory=BOX.memory, cpus=BOX.cpus, cpu=found.cpu, name=f"guest-{uuid.uuid4().hex[:8]}",
    )  # fmt: skip
    return replace(whole, disks=(*whole.disks, Disk(tests, readonly=True)))
