"""How fast a box computes, by class of work, with the same programs from the same image everywhere."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.channel import Channel
from bench.clock import now
from bench.errors import BenchFault
from bench.ladder import climb
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher
from bench.value import Value

MIB = 1024 * 1024
BOX = Box(workload="bench", memory=768 * MIB, root="linked")

FIRST = "sed -n 's/^Cpus_allowed_list:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/self/status | grep . || echo 0"
PINNED = f"taskset -c $({FIRST}) "
"""All work runs on the first CPU that the box may use: a guest has only one. gVisor does not list them."""
SYSBENCH_CPU = r"total number of events:\s*(\d+)"
SYSBENCH_MEMORY = r"Total operations:\s*(\d+)"
DD = r"(\d+)\+\d+ records in"
STRESS_NG = r"metrc:.*?\] +{stressor} +(\d+) "
"""stress-ng prints a line of figures for each stressor; the first is its "bogo operations"."""


@dataclass(frozen=True, slots=True)
class Work:
    """A class of work: the command (with {seconds}) and where its output tells the number of operations."""

    name: str
    command: str
    count: str


def _stress(name: str, options: str) -> Work:
    stressor = options.split(maxsplit=1)[0].removeprefix("--")
    command = f"stress-ng {options} -t {{seconds}} --metrics-brief --temp-path /tmp"
    return Work(name, command, STRESS_NG.format(stressor=stressor))


WORKS = (
    Work("integer", "sysbench cpu --threads=1 --cpu-max-prime=2000 --time={seconds} run", SYSBENCH_CPU),
    # A block that the caches of few processors hold: of a small one no byte leaves them.
    Work(
        "memory-bandwidth",
        "sysbench memory --threads=1 --memory-block-size=128M --memory-total-size=1000T --time={seconds} run",
        SYSBENCH_MEMORY,
    ),
    _stress("floating-point", "--cpu 1 --cpu-method matrixprod"),
    # A byte read and a byte written: next to nothing but the two calls. In the foreground, or dd is sent the
    # signal twice, and the second one would end it before it has said how far it came.
    Work(
        "short-system-calls",
        "timeout --foreground -s INT {seconds} dd if=/dev/zero of=/dev/null bs=1 2>&1 || [ $? = 124 ]",
        DD,
    ),
    _stress("context-switches", "--switch 1"),
    _stress("fork", "--fork 1"),
)
SECONDS: Mapping[Mode, int] = {"fast": 1, "default": 1, "rigorous": 10}
"""Short looks, and many: a busy neighbour spoils few of them, and the two of a pair lie close together."""
RUNS: Mapping[Mode, Mapping[str, int]] = {
    # A whole Debian takes long to boot and computes as `vm` does, so a first look leaves it out.
    "fast": {"native": 3, "container": 3, "vm": 1, "vm-micro": 1, "vm-full": 0, OTHERS: 1},
    "default": {"native": 10, "container": 10, "vm": 3, "vm-micro": 3, "vm-full": 1, OTHERS: 10},
    "rigorous": {"native": 20, "container": 20, "vm": 5, "vm-micro": 5, "vm-full": 3, OTHERS: 20},
}


class Cpu(Repeated):
    """Operations per second of each class of work; a fresh instance for every run."""

    name = "cpu"
    title = "Rates of work by class, one thread"
    decisive = "rate"
    box = BOX
    runs = RUNS

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Run every class once in a fresh instance."""
        works = list(WORKS)
        # The order of the classes is random too, by the run's seed: none must always warm the next.
        order = random.Random(f"{session.sizes.seed}/{slot.round}")  # noqa: S311 - a schedule is no secret
        order.shuffle(works)
        session.sentinels.start()
        with climb(launcher, f"cpu-{slot.target}-{slot.round}") as running:
            session.sentinels.stop()  # the start is not measured here, nor is its load somebody else's
            for work in works:
                session.sentinels.start()
                rate = perform(running.channel, work, SECONDS[session.sizes.mode])
                value = Value("rate", "1/s", rate, {"work": work.name})
                session.record(Place(self.name, slot, launcher.prepared), [value], session.sentinels.stop())
            session.listen(slot.target, launcher.prepared, running.channel)


def perform(channel: Channel, work: Work, seconds: int) -> float:
    """Run one class of work for `seconds` and return its operations per second of the host's clock.

    The programs print rates too, but by the clock inside, and a guest's clock is never compared with the
    host's. So the time is that of the whole command, the start of the program included, on every target.
    """
    done = channel.execute(PINNED + work.command.format(seconds=seconds), now() + 60 + 10 * seconds)
    match = re.search(work.count, done.output)
    if done.status or not match:
        raise BenchFault(
            f"{work.name} gave no number of operations: status {done.status}, output {done.output[-300:]!r}",
            hint="the command is in bench/scenarios/cpu.py; run it by hand with `tare container run`",
            kind="failed",
        )
    return int(match.group(1)) / done.seconds
