"""How many idle instances fit into a stated amount of memory, and what each of them takes while it idles.

Instances are added until their memory (PSS, and what the kernel is charged for them) is beyond the limit, or
there are as many as this looks for: `by_memory` is then 0, and the number a lower bound.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import sleep

from bench import residency
from bench.clock import elapsed, now
from bench.ladder import Running, climb
from bench.scenarios.memory import BOX, Before, measure
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Launcher
from bench.value import Value
from bench.variant import among

MIB = 1024 * 1024
LIMIT = 256 * MIB
MOST: Mapping[Mode, int] = {"fast": 24, "default": 64, "rigorous": 128}
WINDOW = 1.0
"""Seconds in which nothing is asked of any instance, and the CPU time of each is counted."""
RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {"vm": 1, "vm-micro": 1, "vm-full": 1, OTHERS: 3},
    "default": {"vm": 2, "vm-micro": 2, "vm-full": 1, OTHERS: 6},
    "rigorous": {"vm": 6, "vm-micro": 6, "vm-full": 3, OTHERS: 12},
}


class Density(Repeated):
    """The number of idle instances in LIMIT bytes, and the memory, CPU and disk of each."""

    name = "density"
    title = "How many idle instances fit into 256 MiB, and what each takes"
    box = BOX
    runs = RUNS

    def __init__(self, variants: Iterable[str] = ()) -> None:
        self.targets = among(("native", "container", "vm", "vm-micro", "vm-full"), variants)

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Add instances until the limit, then let them idle."""
        session.sentinels.start()
        with ExitStack() as population:
            before = Before.of(launcher.prepared.shared)
            running: list[Running] = []
            used, stopped = [0.0], "count"
            while len(running) < MOST[session.sizes.mode]:
                name = f"{self.name}-{slot.target}-{slot.round}-{len(running)}"
                running.append(population.enter_context(climb(launcher, name, ledger=True)))
                used.append(_memory(running, before))
                if used[-1] > LIMIT:
                    stopped = "memory"
                    break
            found = _each(running, used, stopped)
            session.record(Place(self.name, slot, launcher.prepared), found, session.sentinels.stop())
            session.listen(slot.target, launcher.prepared, running[-1].channel)


def _memory(running: Sequence[Running], before: Before) -> float:
    """Return the bytes that the processes map and the kernel is charged for all instances."""
    figures = {value.metric: value.value for value in measure(running, before)}
    return figures.get("footprint", figures["pss"])


def _each(running: Sequence[Running], used: Sequence[float], stopped: str) -> list[Value]:
    n = len(running)
    began, first = now(), _cpu(running)
    sleep(WINDOW)
    busy = (_cpu(running) - first) / elapsed(began, now())
    disk = residency.allocated(path for one in running for path in one.instance.storage)
    fits = n - 1 if stopped == "memory" else n
    return [
        Value("instances", "count", fits),
        Value("by_memory", "1", float(stopped == "memory")),
        Value("memory_each", "B", used[-1] / n),
        Value("cpu_each", "1", busy / n),
        Value("disk_each", "B", disk / n),
    ]


def _cpu(running: Sequence[Running], proc: Path = Path("/proc")) -> float:
    """Return the seconds of CPU that all threads of the instances have had (sched-stats.rst: nanoseconds)."""
    total = 0
    for pid in (member.pid for one in running for member in one.instance.members()):
        for stat in (proc / str(pid) / "task").glob("*/schedstat"):
            try:
                total += int(stat.read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):  # a thread that has ended
                continue
    return total / 1e9
