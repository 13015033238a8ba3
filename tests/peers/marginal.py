"""What one more idle container costs in memory: its processes, and whatever helper stays beside each.

Figures are of /proc/PID/smaps_rollup (proc(5)): USS is what would be freed with the process, PSS adds its
share of what it shares. A helper is the parent of a container's first process, unless that is process 1 or
we, and what else that parent has for children (Tare's starter). A helper that all containers share (Tare's
spawner or keeper) counts by its growth, like everything here:
(total with MANY - total with FEW) / (MANY - FEW). FEW is more than one, since what only one process maps is
private to it, and enough for a helper to have met all that it meets again: its first ten containers cost it
what no later one does. What a daemon above the helper grows by is not in it.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.linux.processes import children
from tests.peers.idlers import ways
from tests.peers.peer import Missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.peers.bundle import Bundle
    from tests.peers.idlers import Way

FEW, MANY = 12, 24


@dataclass
class Idle:
    """Bytes for one more container, a value a round; `helper_uss` is the part of `uss` that is not its own.

    `helpers` is how many there are beside MANY containers, `helpers_uss` what they take together then.
    """

    name: str
    pss: list[float] = field(default_factory=list)
    uss: list[float] = field(default_factory=list)
    helper_uss: list[float] = field(default_factory=list)
    helpers: int = 0
    helpers_uss: list[float] = field(default_factory=list)
    missing: str = ""


def measure(
    folder: Path, made: Bundle, *, rounds: int, seed: int, only: str | None, say: Callable[[str], None]
) -> list[Idle]:
    """Measure everyone once a round, in an order drawn anew; `made` is a bundle that sleeps."""
    chance, names = random.Random(seed), only.split(",") if only else None
    found: dict[str, Idle] = {}
    for number in range(rounds):
        place = folder / f"idle{number}"
        order = [one for one in ways(place, made, MANY) if names is None or one[0] in names]
        for name, _ in order:
            found.setdefault(name, Idle(name))
        chance.shuffle(order)
        for name, way in order:
            if not found[name].missing:
                _once(found[name], way)
        say(f"idle: round {number + 1} of {rounds}")
    return list(found.values())


def _once(idle: Idle, way: Way) -> None:
    try:
        with way() as start:
            pids = [start(number) for number in range(FEW)]
            first = _settled(pids)
            pids += [start(number) for number in range(FEW, MANY)]
            last = _settled(pids)
            idle.helpers = len(_helpers(pids))
    except (Missing, OSError, subprocess.SubprocessError) as err:
        idle.missing = str(err)
        return
    pss, uss, helper = ((after - before) / (MANY - FEW) for before, after in zip(first, last, strict=True))
    idle.pss.append(pss)
    idle.uss.append(uss)
    idle.helper_uss.append(helper)
    idle.helpers_uss.append(last[2])


def _settled(pids: list[int]) -> tuple[int, int, int]:
    time.sleep(0.2)  # for the last program to have come to its sleep
    helpers = _helpers(pids)
    everyone = [*pids, *helpers]
    private = ("Private_Clean:", "Private_Dirty:")
    return _sum(everyone, "Pss:"), _sum(everyone, *private), _sum(helpers, *private)


def _helpers(pids: list[int]) -> set[int]:
    texts = [Path(f"/proc/{pid}/stat").read_text(encoding="latin-1") for pid in pids]
    parents = {int(text.rpartition(")")[2].split()[1]) for text in texts} - {1, os.getpid(), *pids}
    beside = {pid for parent in parents for pid, state in children(parent).items() if state not in "ZX"}
    return (parents | beside) - set(pids)


def _sum(pids: list[int] | set[int], *names: str) -> int:
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith(names))
    return total * 1024
