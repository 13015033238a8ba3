"""What each further idle instance costs in memory: grow to N, read the ledger, fit a line later."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import pairwise

from bench import ledger
from bench.ladder import Running, climb
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher, Member, Shared
from bench.value import Value
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
    "fast": {"native": 2, "container": 2, "vm": 1, "vm-micro": 1, "vm-full": 1, OTHERS: 1},
    "default": {"native": 5, "container": 5, "vm": 2, "vm-micro": 2, "vm-full": 2, OTHERS: 3},
    "rigorous": {"native": 10, "container": 10, "vm": 4, "vm-micro": 4, "vm-full": 3, OTHERS: 6},
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
            before = Before.of(launcher.prepared.shared)
            running: list[Running] = []
            for have, want in pairwise((0, *sizes)):
                session.sentinels.start()
                for index in range(have, want):
                    name = f"memory-{slot.target}-{slot.round}-{index}"
                    running.append(population.enter_context(climb(launcher, name, ledger=True)))
                time.sleep(SETTLE)
                session.record(place, measure(running, before), session.sentinels.stop())
            session.listen(slot.target, launcher.prepared, running[-1].channel)


@dataclass(frozen=True, slots=True)
class Before:
    """What there was before the first instance: the host's figures, and what serves all instances."""

    host: ledger.Host
    shared: Shared | None
    processes: ledger.Processes
    charged: ledger.Charged

    @classmethod
    def of(cls, shared: Shared | None) -> "Before":
        """Read it now."""
        return cls(ledger.host(), shared, *_read(shared))


def _read(shared: Shared | None) -> tuple[ledger.Processes, ledger.Charged]:
    members, groups = (shared.members(), shared.memory_cgroups) if shared else ((), ())
    return ledger.processes(member.pid for member in members), ledger.charged(groups)


def measure(running: Sequence[Running], before: Before) -> list[Value]:
    """Read the ledger of all instances that run, as values with their number in `params`.

    What serves all of them counts by what it has grown by. `footprint` is PSS and kernel memory, where
    cgroups account for that. `pss_of` is one line for each part that a process plays, those of what is
    shared in full. `shared` is the part of what all map that sharing saves: RSS counts a page for each that
    maps it, PSS but once, so of pages that all n map it is (n - 1) / n.
    """
    instances = [one.instance for one in running]
    members = [member for instance in instances for member in instance.members()]
    seen, charged = _read(before.shared)
    seen = ledger.added(
        ledger.processes(member.pid for member in members), ledger.grown(seen, before.processes)
    )
    own = ledger.charged(one.memory_cgroup for one in instances if one.memory_cgroup is not None)
    charged = ledger.added(own, ledger.grown(charged, before.charged))
    after = ledger.host()
    figures: dict[str, int] = {
        **asdict(seen),
        "cgroup_anon": charged.anon,
        "cgroup_file": charged.file,
        "cgroup_kernel": charged.kernel,
        "cgroup_shmem": charged.shmem,
        "mem_available_drop": before.host.available - after.available,
        "ksm_shared": after.ksm_shared - before.host.ksm_shared,
        "unexplained": ledger.unexplained(before.host, after, charged),
    }
    if _accounted(running, before.shared):
        figures["footprint"] = ledger.footprint(seen, charged)
    lines = _lines([*members, *(before.shared.members() if before.shared else ())])
    n = len(running)
    return [
        *(Value(metric, "B", figure, {"n": n}) for metric, figure in figures.items()),
        *([Value("shared", "1", 1 - seen.pss / seen.rss, {"n": n})] if seen.rss else []),
        *(Value("pss_of", "B", size, {"n": n, "role": role}) for role, size in lines.items()),
    ]


def _accounted(running: Sequence[Running], shared: Shared | None) -> bool:
    """Tell whether every process that counts is in a cgroup that is charged."""
    if shared is not None:
        return shared.accounted
    return all(one.instance.memory_cgroup is not None for one in running)


def _lines(members: Sequence[Member]) -> Mapping[str, int]:
    """Return the bytes of each role, one line even where there is but one."""
    roles = sorted({member.role for member in members})
    return {role: ledger.processes(m.pid for m in members if m.role == role).pss for role in roles}
