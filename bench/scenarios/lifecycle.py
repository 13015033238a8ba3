"""Creating instances from what is there already, and deleting them: one, and ten at once."""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import psutil

from bench import residency
from bench.clock import elapsed
from bench.ladder import Running, crowd
from bench.results.model import Parameter  # noqa: TC001 - with its neighbours
from bench.scenarios.repeated import OTHERS, Turns, prepared
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import AcceleratorName, Box, Launcher, Target
from bench.value import Value
from bench.variant import like

MIB = 1024 * 1024
MEMORY = 512 * MIB
SHARED, FULL, LINKED = "shared", "full copy", "linked clone"
"""How an instance comes to its root filesystem."""

ROOTS: Mapping[str, Box] = {
    SHARED: Box("agent", MEMORY),
    FULL: Box("bench", MEMORY, root="full"),
    LINKED: Box("bench", MEMORY, root="linked"),
}
WAYS = {"vm": (FULL, LINKED), "vm-micro": (FULL, LINKED), "vm-full": (FULL,)}
"""Where it has more than the one. A whole system takes long to boot, however its disk was made."""
CROWDS: Mapping[Mode, Mapping[str, Sequence[int]]] = {
    "fast": {"vm": (1,), "vm-micro": (1,), "vm-full": (1,), OTHERS: (1, 10)},
    "default": {"vm": (1, 2), "vm-micro": (1, 2), "vm-full": (1,), OTHERS: (1, 10)},
    "rigorous": {"vm": (1, 10), "vm-micro": (1, 10), "vm-full": (1, 2), OTHERS: (1, 10, 20)},
}
"""Those of guests are for emulated ones, which boot one after the other: others come as containers do, as far
as the host has the memory."""
RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {"native": 3, "container": 3, "vm": 1, "vm-micro": 0, "vm-full": 1, OTHERS: 2},
    "default": {"native": 10, "container": 10, "vm": 3, "vm-micro": 1, "vm-full": 1, OTHERS: 6},
    "rigorous": {"native": 30, "container": 30, "vm": 8, "vm-micro": 4, "vm-full": 6, OTHERS: 20},
}


class Lifecycle(Turns[Mapping[str, Launcher]]):
    """From the first call that makes an instance to the last that returns, and to the last first answer.

    Deletions take until nothing is left, one after the other. What is there already is the image: its layers,
    or the virtual disk that is copied or linked to. Only what has answered, and so was whole, is deleted.
    `disk` is what each has allocated there for itself by then.
    """

    name = "lifecycle"
    title = "Create from an existing image, and delete, one and ten at once"
    runs = RUNS

    def prepare(self, target: Target, stack: ExitStack, mode: Mode) -> Mapping[str, Launcher]:  # noqa: ARG002 - the same in every mode
        """Prepare the image: for guests as a disk to copy, and as one to link to."""
        roots = WAYS.get(like(target.name), (SHARED,))
        return {root: stack.enter_context(prepared(target, ROOTS[root])) for root in roots}

    def turn(self, session: Session, slot: Slot, ready: Mapping[str, Launcher], /) -> None:
        """Create and delete a crowd of each size, by each way to a root filesystem."""
        for root, launcher in ready.items():
            place = Place(self.name, slot, launcher.prepared)
            for size in _crowds(session.sizes.mode, slot.target, launcher.prepared.accelerator):
                names = [f"life-{slot.target}-{slot.round}-{index}" for index in range(size)]
                params: dict[str, Parameter] = {"root": root, "at_once": size}
                session.sentinels.start()
                with crowd(launcher, names) as running:
                    session.listen(slot.target, launcher.prepared, running[0].channel)
                    disk = residency.allocated(path for one in running for path in one.instance.storage)
                    figures = _made(running) | {"delete": math.fsum(one.remove() for one in running)}
                values = [Value(metric, "s", seconds, params) for metric, seconds in figures.items()]
                values.append(Value("disk", "B", disk / size, params))
                session.record(place, values, session.sentinels.stop())


def _crowds(mode: Mode, target: str, accelerator: AcceleratorName | None) -> Sequence[int]:
    others = CROWDS[mode][OTHERS]
    small = CROWDS[mode].get(like(target), others)
    needed = max(others) * MEMORY if accelerator else 0
    return others if accelerator != "tcg" and needed <= psutil.virtual_memory().available else small


def _made(running: Sequence[Running]) -> dict[str, float]:
    """Return the seconds from the first request until the last call returned, and until all have answered."""
    first = running[0].ladder.request
    return {
        "create": elapsed(first, max(one.ladder.created for one in running)),
        "answer": elapsed(first, max(one.ladder.ready for one in running)),
    }
