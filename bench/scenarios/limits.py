"""Whether limits hold: delivered CPU against what was granted, and a process that wants too much memory."""

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import processes
from bench.channel import Channel, ChannelFault, HungUp
from bench.clock import elapsed, now
from bench.ladder import Running, climb
from bench.scenarios.inside import carry_out
from bench.scenarios.repeated import OTHERS, Turns, prepared
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher, Target
from bench.value import Value

MIB = 1024 * 1024
MEMORY = 128 * MIB
GREEDY, MODEST = 4 * MEMORY, MEMORY // 4
"""Bytes that a process asks for: far more than its box may have, even with as much swap; and fewer."""
TAKE = "dd if=/dev/zero of=/dev/null bs={bytes} count=1"
"""A buffer of so many bytes, every page of which is written."""
BURN = "while :; do :; done"
SETTLE = 0.2
"""Seconds in which the loops have started and the first periods of the controller are over."""
PATIENCE = 60.0

CPUS: Mapping[Mode, tuple[float, ...]] = {
    "fast": (0.1, 0.5, 1.0, 1.5, 2.0),
    "default": (0.1, 0.25, 0.5, 1.0, 1.5, 2.0),
    "rigorous": (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
}
"""Limits in CPUs; those that this host has not are left out."""
WINDOW: Mapping[Mode, float] = {"fast": 1.0, "default": 2.0, "rigorous": 5.0}
"""Seconds. The kernel grants CPU by periods of 0.1 s, so one more or less is 10 % of a second."""
RUNS: Mapping[Mode, Mapping[str, int]] = {
    # A guest's CPU is a thread of QEMU, whatever boots in it.
    "fast": {"vm-micro": 0, "vm-full": 0, "vm": 1, OTHERS: 2},
    "default": {"vm-micro": 1, "vm-full": 0, "vm": 2, OTHERS: 6},
    "rigorous": {"vm-micro": 2, "vm-full": 0, "vm": 4, OTHERS: 20},
}


class Limits(Turns[Mapping[float, Launcher]]):
    """CPU time of all that belongs to a box, and who dies for want of memory."""

    name = "limits"
    title = "Limits of CPU and memory: what is delivered against what was granted"
    runs = RUNS

    def prepare(self, target: Target, stack: ExitStack, mode: Mode) -> Mapping[float, Launcher]:  # noqa: ARG002 - the same in every mode
        """Prepare a box for every limit; a bare process, which none holds back, shows what that is like."""
        if target.kind == "native":  # its shell needs /dev, which the larger image has
            least = min(CPUS["fast"])
            return {least: stack.enter_context(prepared(target, Box("bench", MEMORY, least)))}
        found = [cpus for cpus in _grantable() if target.kind != "vm" or cpus.is_integer()]
        return {cpus: stack.enter_context(prepared(target, Box("agent", MEMORY, cpus))) for cpus in found}

    def turn(self, session: Session, slot: Slot, ready: Mapping[float, Launcher], /) -> None:
        """Take every limit of CPU in a fresh box; then memory, where there is a limit of it at all."""
        mode = session.sizes.mode
        for cpus in (cpus for cpus in CPUS[mode] if cpus in ready):
            session.sentinels.start()
            with climb(ready[cpus], f"limits-{slot.target}-{slot.round}", ledger=True) as running:
                session.listen(slot.target, ready[cpus].prepared, running.channel)  # while it is idle
                value = Value("delivered", "1", delivered(running, WINDOW[mode]) / cpus, {"limit": cpus})
            session.record(Place(self.name, slot, ready[cpus].prepared), [value], session.sentinels.stop())
        if session.targets[slot.target].kind == "native":
            self._unlimited(session, slot, *ready.values())
        else:
            self._memory(session, slot, ready[1.0])

    def _memory(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        session.sentinels.start()
        name = f"limits-{slot.target}-{slot.round}"
        with climb(launcher, f"{name}-next") as neighbour, climb(launcher, f"{name}-eater") as eater:
            modest = refused(eater, MODEST)
            greedy = refused(eater, GREEDY)
            facts = {
                "within_limit_lives": not modest,
                "over_limit_dies": greedy,
                "neighbour_lives": _answers(neighbour.channel),
            }
            values = [Value(metric, "1", float(fact)) for metric, fact in facts.items()]
        session.record(Place(self.name, slot, launcher.prepared), values, session.sentinels.stop())

    def _unlimited(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Let a bare process take as much: where it can't either, it was no limit that another died of."""
        session.sentinels.start()
        with climb(launcher, f"limits-{slot.target}-{slot.round}-eater") as eater:
            value = Value("over_limit_dies", "1", float(refused(eater, GREEDY)))
        session.record(Place(self.name, slot, launcher.prepared), [value], session.sentinels.stop())


def _grantable() -> list[float]:
    most = len(os.sched_getaffinity(0))
    return [cpus for cpus in CPUS["rigorous"] if cpus <= most]


def delivered(running: Running, window: float, proc: Path = Path("/proc")) -> float:
    """Return how many CPUs all that belongs to an instance gets for `window` seconds of endless loops.

    There is a loop for every CPU of the host and one more, so that only the limit holds them back. The time
    is that of the host's scheduler: a guest's includes what QEMU itself takes.
    """
    loops = " ".join([f"({BURN}) &"] * (len(os.sched_getaffinity(0)) + 1))
    carry_out(running.channel, loops + " :")
    time.sleep(SETTLE)
    pids = [member.pid for member in running.instance.members()]
    begun, before = now(), processes.on_cpu(pids, proc)
    time.sleep(window)
    ended, after = now(), processes.on_cpu(pids, proc)
    return (after - before) / elapsed(begun, ended)


def refused(running: Running, size: int) -> bool:
    """Tell whether a process that takes `size` bytes of memory is ended, or its whole box with it."""
    try:
        return running.channel.execute(TAKE.format(bytes=size), now() + PATIENCE).status != 0
    except HungUp:
        return True


def _answers(channel: Channel) -> bool:
    try:
        channel.ping(now() + PATIENCE)
    except ChannelFault:
        return False
    return True
