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
    from collections.abc import Callable, Iterator, Sequence

    from bench.channel import Finished

BOX = Box(workload="bench", memory=2 << 30, cpus=2)
MOUNT = "mkdir -p /tests && mount -o ro /dev/vdb /tests && sh /tests/tare/tests/guest/prepare.sh"
# Delegate=yes hands the scope every controller, and the promise that systemd keeps out of what is below it.
PYTEST = """cd /work && systemd-run --quiet --scope -p Delegate=yes env PYTHONPATH=/tests/wheels \
HOME=/root LC_ALL=C.UTF-8 TARE_TEST_ROOT=/work/.data \
python3 -m pytest -p no:cacheprovider -o timeout=600"""
LOG = "/run/pytest.log"
EVERY = 10  # seconds
# The guest counts what it has told: here its bytes have become characters. The channel keeps 65,536 bytes.
MORE = f"""told=$(cat {LOG}.told 2>/dev/null || echo 0); tail -c +$((told + 1)) {LOG} | head -c 32768 | \
tee {LOG}.part; echo $((told + $(stat -c %s {LOG}.part))) >{LOG}.told"""


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

    def follow(self, words: Sequence[str], say: Callable[[str], None]) -> int:
        """Run pytest as above, tell what it prints while it runs, return its status.

        So that what it said is not lost with a guest that falls silent, nor in the end of a long answer.
        """
        run = f"{PYTEST} {shlex.join(words)} >{LOG} 2>&1 </dev/null; echo $? >{LOG}.status"
        started = self.execute(f"rm -f {LOG}*; ({run}) >/dev/null & :")
        if started.status:
            raise RuntimeError(f"pytest can't be started: {started.output}")
        while True:
            over = not self.execute(f"test -s {LOG}.status || {{ sleep {EVERY}; false; }}").status
            part = self.execute(MORE).output
            if part:
                say(part.rstrip("\n"))
            elif over:
                return int(self.execute(f"cat {LOG}.status").output)


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
