"""What each further idle instance costs in memory: grow to N, read the ledger, fit a line later."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import pairwise

from bench import ledger
from bench.ladder import Running, climb
from bench.scenario import Mode, Place, Session, Value
from bench.scenarios.repeated import Repeated
from bench.schedule import Slot
from bench.target import Box, Launcher
from bench.variant import like

MIB = 1024 * 1024
SETTLE = 0.5
"""Seconds in which the host comes to rest before it is read: just after a boot an instance is not idle yet,
and after a removal the kernel still frees what the instance had."""
BOX = Box(workload="agent", memory=512 * MIB)

SIZES: Mapping[Mode, Mapping[str, Sequence[int]]] = {
    "fast": {
        "native": (1, 2, 4, 8),
        "container": (1, 2, 4, 8),
        "vm": (1, 2),
        "vm-micro": (1, 2),
        "vm-full": (1, 2),
    },
    "default": {
        "native": (1, 2, 4, 8, 16),
        "container": (1, 2, 4, 8, 16),
        "vm": (1, 2, 3, 4),
        "vm-micro": (1, 2, 3, 4),
        "vm-full": (1, 2),
    },
    "rigorous": {
        "native": (1, 2, 4, 8, 16, 32),
        "container": (1, 2, 4, 8, 16, 32),
        "vm": (1, 2, 4, 8),
        "vm-micro": (1, 2, 4, 8),
        "vm-full": (1, 2, 4),
    },
}
RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {"native": 2, "container": 2, "vm": 1, "vm-micro": 1, "vm-full": 1},
    "default": {"native": 5, "container": 5, "vm": 2, "vm-micro": 2, "vm-full": 2},
    "rigorous": {"native": 10, "container": 10, "vm": 4, "vm-micro": 4, "vm-full": 3},
}


class Memory(Repeated):
    """The ledger of N = 1, 2, 4, … idle instances of every target."""

    name = "memory"
    title = "Memory of idle instances: the ledger, and the cost of one more"
    box = BOX
    runs = RUNS

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Grow one target's population and read the ledger at each size."""
        sizes = SIZES[session.sizes.mode].get(like(slot.target), (1, 2, 4))
        place = Place(self.name, slot, launcher.prepared)
        with ExitStack() as population:
            time.sleep(SETTLE)
            before = ledger.host()
            running: list[Running] = []
            for have, want in pairwise((0, *sizes)):
                session.sentinels.start()
                for index in range(have, want):
                    name = f"memory-{slot.target}-{slot.round}-{index}"
                    running.append(population.enter_context(climb(launcher, name, ledger=True)))
                time.sleep(SETTLE)
                session.record(place, measure(running, before), session.sentinels.stop())
            session.listen(slot.target, launcher.prepared, running[-1].channel)


def measure(running: Sequence[Running], before: ledger.Host) -> list[Value]:
    """Read the ledger of all instances that run, as values with their number in `params`."""
    instances = [one.instance for one in running]
    seen = ledger.processes(member.pid for instance in instances for member in instance.members())
    charged = ledger.charged(one.memory_cgroup for one in instances if one.memory_cgroup is not None)
    after = ledger.host()
    figures: dict[str, int] = {
        **asdict(seen),
        "cgroup_anon": charged.anon,
        "cgroup_file": charged.file,
        "cgroup_kernel": charged.kernel,
        "cgroup_shmem": charged.shmem,
        "mem_available_drop": before.available - after.available,
        "ksm_shared": after.ksm_shared - before.ksm_shared,
        "unexplained": ledger.unexplained(before, after, charged),
    }
    params = {"n": len(running)}
    return [Value(metric, "B", figure, params) for metric, figure in figures.items()]
