"""A victim beside an aggressor: how slow its slowest requests become, and how soon it has recovered."""

import os
from collections.abc import Mapping
from contextlib import ExitStack

from bench.channel import Channel
from bench.clock import elapsed, now
from bench.errors import BenchFault
from bench.ladder import Running, climb
from bench.results.model import Parameter
from bench.scenarios.inside import PATIENCE, carry_out
from bench.scenarios.repeated import OTHERS, Turns, prepared
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.stats.tail import quantile
from bench.target import Box, Launcher, Target
from bench.value import Value

MIB = 1024 * 1024
CPUS = len(os.sched_getaffinity(0))
REQUEST = "head -c 65536 /dev/zero >/tmp/victim && sync /tmp/victim"
"""A small service's work: two processes, a file of 64 KiB, and on the disk with it."""
TOOL = "stress-ng --temp-path /tmp --quiet -t 300"
IDLE = "idle"
AGGRESSORS: Mapping[str, str] = {
    IDLE: "sleep 300",
    "cpu": f"{TOOL} --cpu {4 * CPUS} --cpu-method matrixprod",
    "memory": f"{TOOL} --vm {CPUS} --vm-bytes 96M",  # of all its workers together
    "disk": f"{TOOL} --hdd {CPUS} --hdd-bytes 32M --hdd-opts fsync",
    "fork": f"{TOOL} --fork 16 --fork-max 16",
}
"""Each is bounded in itself, so that without limits too the host lives. The idle one shows what mere company
does: nothing, or the others' slowdown is not theirs."""
SAY = "{ cat /tmp/aggressor; exit 1; }"
GONE = "the aggressor has ended too early; what it said is the output. Is there memory and disk enough?"

VICTIM = Box("bench", 256 * MIB, root="linked")
FREE, BOUND = "none", "set"
BOXES: Mapping[str, Box] = {
    FREE: Box("bench", 1024 * MIB, CPUS, root="linked"),
    BOUND: Box("bench", 64 * MIB, 0.25, 48, root="linked"),
    "vm": Box("bench", 256 * MIB, root="linked"),
}
"""Limits of the aggressor: more than it takes; less than it takes. A guest has one CPU and its own kernel."""

REQUESTS: Mapping[Mode, int] = {"fast": 100, "default": 200, "rigorous": 500}
"""A p99 takes 100."""
ALONE = 4
"""So many times as many requests when the victim is alone, or beside one that sleeps: they are quick, and the
p99 of a hundred is their second largest, which wanders. Every slowdown is against the p99 alone."""
P99 = 0.99
CALM = 10
"""So many requests in a row, none of them slower than twice the quiet p99, are a recovery."""

RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {"native": 1, "container": 1, "vm": 0, "vm-micro": 0, "vm-full": 0, OTHERS: 1},
    "default": {"native": 6, "container": 6, "vm": 1, "vm-micro": 0, "vm-full": 0, OTHERS: 3},
    "rigorous": {"native": 20, "container": 20, "vm": 2, "vm-micro": 0, "vm-full": 0, OTHERS: 10},
}


class Contention(Turns[Mapping[str, Launcher]]):
    """The latency of one instance's requests, alone and beside aggressors: without limits, then with some."""

    name = "contention"
    title = "A victim beside an aggressor: its slowest requests, and its recovery"
    runs = RUNS

    def prepare(self, target: Target, stack: ExitStack, mode: Mode) -> Mapping[str, Launcher]:
        """Prepare the victim's box and the aggressor's; nothing limits a bare process.

        A first look leaves the container's limits out: half of its time, and no claim is judged by them.
        """
        bound = {} if mode == "fast" else {BOUND: BOUND}
        kinds = {"native": {FREE: FREE}, "container": {FREE: FREE, **bound}, "vm": {BOUND: "vm"}}
        boxes = {"victim": VICTIM, **{limits: BOXES[box] for limits, box in kinds[target.kind].items()}}
        return {name: stack.enter_context(prepared(target, box)) for name, box in boxes.items()}

    def turn(self, session: Session, slot: Slot, ready: Mapping[str, Launcher], /) -> None:
        """Let one victim live through all aggressors, with and without limits."""
        count, name = REQUESTS[session.sizes.mode], f"{self.name}-{slot.target}-{slot.round}"
        place = Place(self.name, slot, ready["victim"].prepared)
        session.sentinels.start()
        with climb(ready["victim"], f"{name}-victim") as victim:
            session.listen(slot.target, ready["victim"].prepared, victim.channel)
            quiet = latencies(victim.channel, ALONE * count)
            # Whatever disturbs from here on is the aggressor.
            disturbance = session.sentinels.stop()
            session.record(place, _figures(quiet, {"aggressor": "none", "limits": FREE}), disturbance)
            contained = session.targets[slot.target].kind == "container"
            for limits, launcher in ready.items():
                held = contained and limits == BOUND
                for kind in AGGRESSORS if limits != "victim" else ():
                    with climb(launcher, f"{name}-{kind}") as aggressor:
                        values = _beside(victim, aggressor, kind, limits, quiet, held=held)
                    session.record(place, values, disturbance)


def _beside(
    victim: Running, aggressor: Running, kind: str, limits: str, quiet: list[float], *, held: bool
) -> list[Value]:
    params: dict[str, Parameter] = {"aggressor": kind, "limits": limits}
    pid = attack(aggressor.channel, AGGRESSORS[kind])
    beside = latencies(victim.channel, len(quiet) // (1 if kind == IDLE else ALONE))
    if not held:  # limits may well have ended it
        lives(aggressor.channel, pid)
    stopped = now()
    aggressor.remove()
    slowdown = quantile(beside, P99) / quantile(quiet, P99)
    return [
        *_figures(beside, params),
        Value("slowdown", "1", slowdown, params),
        Value("recovery", "s", elapsed(stopped, calm(victim.channel, 2 * quantile(quiet, P99))), params),
    ]


def _figures(found: list[float], params: Mapping[str, Parameter]) -> list[Value]:
    return [
        Value("latency_p50", "s", quantile(found, 0.5), params),
        Value("latency_p99", "s", quantile(found, P99), params),
    ]


def attack(channel: Channel, command: str) -> str:
    """Start the aggressor, see that it runs, and return its pid in there.

    That in one shell, since limits may leave no room for another process.
    """
    started = f"{command} >/tmp/aggressor 2>&1 & sleep 0.3; kill -0 $! || {SAY}; echo $!"
    return carry_out(channel, started, hint=GONE).output.strip()


def lives(channel: Channel, pid: str) -> None:
    """See that the aggressor still runs, and is no zombie: beside a dead one all is well."""
    carry_out(channel, f"grep -q '^State:[^ZX]*$' /proc/{pid}/status || {SAY}", hint=GONE)


def latencies(channel: Channel, count: int) -> list[float]:
    """Return the seconds that each of `count` requests took, one after the other."""
    return [_request(channel) for _ in range(count)]


def calm(channel: Channel, limit: float) -> float:
    """Return the moment from which on CALM requests in a row took at most `limit` seconds."""
    deadline, row, since = now() + PATIENCE, 0, now()
    while row < CALM:
        if now() > deadline:
            raise BenchFault(
                f"the victim has not recovered after {PATIENCE:g} s",
                hint="something else disturbs it: `tare system check`",
                kind="failed",
            )
        row = row + 1 if _request(channel) <= limit else 0
        since = since if row else now()
    return since


def _request(channel: Channel) -> float:
    return carry_out(channel, REQUEST, hint="is the disk full?").seconds
