"""The launch ladder: from the request to the first correct reply, and from stop to gone.

request → created (the call returned) → kernel (a guest kernel's first sign) → init (first line of process 1
in user space) → listening → ready (first correct reply), then stop → gone (nothing of the instance is left).
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.channel import Channel, ChannelFault
from bench.clock import elapsed, now
from bench.errors import BenchFault
from bench.interrupts import lifted, shield
from bench.target import Instance, Launcher
from bench.targets.null import NullInstance

PATIENCE = 180.0
"""Seconds in which a workload has to reply; Debian under emulation takes 14."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Moments on the host's clock in seconds; `kernel` is None without a kernel of its own.

    What was saved and goes on has neither `kernel` nor `init` nor `listening`: it has been there already.
    """

    request: float
    created: float
    kernel: float | None
    init: float | None
    listening: float | None
    ready: float

    def durations(self) -> dict[str, float]:
        """Return seconds since the request for every rung that was reached; raises on a negative one."""
        rungs = {
            "created": self.created,
            "kernel": self.kernel,
            "init": self.init,
            "listening": self.listening,
            "ready": self.ready,
        }
        return {name: elapsed(self.request, at) for name, at in rungs.items() if at is not None}


@dataclass(slots=True)
class Running:
    """An instance whose workload replies, the channel to it, and how it got there."""

    instance: Instance
    channel: Channel
    ladder: Ladder
    removed: bool = False

    def remove(self) -> float:
        """End the instance, insist that nothing is left, and return the seconds from stop to gone."""
        stop = now()
        with shield():
            self.instance.remove()
        seconds = elapsed(stop, now())
        self.removed = True
        left = list(self.instance.leftovers())
        if left:
            raise BenchFault(
                f"{self.instance.name} left behind: {', '.join(left)}",
                hint="run `tare system prune`, and report this: a removed instance must leave nothing",
                kind="failed",
            )
        return seconds


@contextmanager
def crowd(launcher: Launcher, names: Sequence[str]) -> Iterator[list[Running]]:
    """Start instances one call after the other, wait until all are ready, and remove them at the end."""
    with shield(), ExitStack() as stack:
        started: list[tuple[Instance, float, float]] = []
        for name in names:
            request = now()
            instance = launcher.start(name)
            started.append((instance, request, now()))
            stack.callback(instance.remove)
        with lifted():
            running = [_running(*one) for one in started]
            yield running
        for one in running:
            if not one.removed:
                one.remove()


def _running(instance: Instance, request: float, created: float) -> Running:
    channel = _channel(instance)
    return Running(instance, channel, _follow(channel, instance, request, created))


@contextmanager
def climb(launcher: Launcher, name: str, *, ledger: bool = False, saved: bool = False) -> Iterator[Running]:
    """Start an instance, wait until it is ready, and remove it at the end whatever happens.

    With `saved` the launcher lets something go on that was ready when it was saved.
    """
    with shield():
        request = now()
        instance = launcher.start(name, ledger=ledger)
        created = now()
        try:
            with lifted():
                channel = _channel(instance)
                follow = _revive if saved else _follow
                running = Running(instance, channel, follow(channel, instance, request, created))
                yield running
            if not running.removed:
                running.remove()
        finally:
            instance.remove()


def _channel(instance: Instance) -> Channel:
    """Open the channel. Only the null target may know the first number, since it has to say it beforehand."""
    first = instance.token if isinstance(instance, NullInstance) else secrets.randbits(31)
    return Channel(instance.agent, instance.console, instance.requests, first=first)


def _follow(channel: Channel, instance: Instance, request: float, created: float) -> Ladder:
    deadline = request + PATIENCE
    try:
        first = channel.wait("kernel", "init", deadline=deadline)
        kernel = first.at if first.word == "kernel" else None
        init = first if kernel is None else channel.wait("init", deadline=deadline)
        listening = channel.wait("listening", deadline=deadline)
        ready = channel.ping(deadline)
    except ChannelFault as fault:
        raise ChannelFault(f"{instance.name}: {fault}; {instance.log()[-1000:]}") from fault
    return Ladder(request, created, kernel, init.at, listening.at, ready.at)


def _revive(channel: Channel, instance: Instance, request: float, created: float) -> Ladder:
    try:
        ready = channel.ping(request + PATIENCE)
    except ChannelFault as fault:
        raise ChannelFault(f"{instance.name}, restored: {fault}; {instance.log()[-1000:]}") from fault
    return Ladder(request, created, None, None, None, ready.at)
