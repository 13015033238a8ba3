"""How fast a box answers and sends, over its own loopback device and to a client on the host.

A client on the host asks a container through the bridge (a veth pair), and a bare process on the loopback
device: that is how a service of this host is asked on this host. So a bare process has one path only: it is
measured once there, and recorded under the names of both.

Rates are round trips (sockperf, one at a time) and bytes (iperf3) per second in which the client asked, by
its own count: it runs under the host's clock, and sleeps two seconds around its work (sockperf), which are
no part of any rate; more seconds than the host saw pass are a failure. Client and server share one CPU, so
that none waits for an idle one to wake. A virtual machine takes no part: its agent's channel is a serial
port, and it has no network device.
"""

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, product

from bench.channel import Channel
from bench.clock import now
from bench.errors import BenchFault
from bench.ladder import climb
from bench.scenarios.cpu import PINNED
from bench.scenarios.repeated import OTHERS, Repeated, prepared
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher
from bench.value import Value
from bench.variant import among

MIB = 1024 * 1024
CLIENT = "native"
PORTS = count(21000)
"""A port of its own for every server: the last one's may be held for a minute yet (TIME_WAIT)."""
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Work:
    """A server, a client (with {address} and {seconds}), and where that tells seconds and what it counted."""

    name: str
    server: str
    client: str
    count: str


WORKS = (
    Work(
        "round trips",
        "sockperf server --tcp -i 0.0.0.0 -p {port}",
        "sockperf ping-pong --tcp -i {address} -p {port} -t {seconds}",
        r"\[Total Run\] RunTime=(?P<seconds>[\d.]+) sec;.*ReceivedMessages=(?P<count>\d+)",
    ),
    Work(
        "bytes",
        "iperf3 -4 -s -1 -p {port}",
        "iperf3 -c {address} -p {port} -t {seconds} -J",
        r'"sum_received":\s*{[^}]*"seconds":\s*(?P<seconds>[\d.]+),\s*"bytes":\s*(?P<count>\d+)',
    ),
)
START = (
    "{pinned}{server} </dev/null >/dev/null 2>&1 & i=0; "
    "until grep -q ':{port:04X} 00000000:0000 0A' /proc/net/tcp; "
    "do i=$((i+1)); [ $i -lt 200 ] || exit 9; sleep 0.02; done; echo $!"
)
STOP = (
    "kill {pid} 2>/dev/null; "
    "while grep -q '^State:[^ZX]*$' /proc/{pid}/status 2>/dev/null; do sleep 0.02; done"
)
"""A zombie holds no port; the host's process 1 may take seconds to collect a bare server's."""
ADDRESS = "hostname -I"
SECONDS: Mapping[Mode, int] = {"fast": 1, "default": 1, "rigorous": 5}
LOOPBACK = "loopback"
PATHS = (LOOPBACK, "host")
RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {OTHERS: 6},
    "default": {OTHERS: 24},
    "rigorous": {OTHERS: 30},
}


class Network(Repeated):
    """Round trips and bytes per second, on each path; a fresh instance for every run."""

    name = "network"
    title = "Round trips and bytes over TCP, on the loopback device and to the host"
    decisive = "rate"
    box = Box("io", 256 * MIB, network="bridge")
    runs = RUNS

    def __init__(self, variants: Iterable[str] = ()) -> None:
        self.targets = among((CLIENT, "container"), variants)

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Ask a server in a fresh instance, from inside it and from a bare process, by the run's seed."""
        paths = {LOOPBACK: PATHS} if slot.target == CLIENT else {path: [path] for path in PATHS}
        order = [*product(WORKS, paths)]
        random.Random(f"{session.sizes.seed}/{slot.round}").shuffle(order)  # noqa: S311 - a schedule is no secret
        place = Place(self.name, slot, launcher.prepared)
        name = f"{self.name}-{slot.target}-{slot.round}"
        with climb(launcher, name) as running, self._outside(session, slot, name) as asking:
            for work, path in order:
                inside = path == LOOPBACK
                session.sentinels.start()
                rate = perform(
                    running.channel,
                    running.channel if inside else asking,
                    "127.0.0.1" if inside else _address(running.channel),
                    work,
                    SECONDS[session.sizes.mode],
                )
                values = [Value("rate", "1/s", rate, {"work": work.name, "path": of}) for of in paths[path]]
                session.record(place, values, session.sentinels.stop())
            session.listen(slot.target, launcher.prepared, running.channel)

    @contextmanager
    def _outside(self, session: Session, slot: Slot, name: str) -> Iterator[Channel]:
        """Give a bare process that asks from the host."""
        client = session.targets.get(CLIENT)
        if client is None:
            raise BenchFault(
                f"the client is a {CLIENT} process, which is not among the targets",
                hint=f"measure {CLIENT} too: -t {CLIENT},{slot.target}",
                kind="usage",
            )
        with prepared(client, self.box) as outside, climb(outside, f"{name}-client") as asking:
            yield asking.channel


def perform(server: Channel, client: Channel, address: str, work: Work, seconds: int) -> float:
    """Ask `server` for so long and return what was counted per second."""
    port = next(PORTS)
    command = PINNED + work.client.format(address=address, port=port, seconds=seconds)
    with _serving(server, work, port):
        done = client.execute(command, now() + PATIENCE + 2 * seconds)
    told = re.search(work.count, done.output)
    counted, passed = (int(told["count"]), float(told["seconds"])) if told else (0, 0.0)
    if done.status or not counted or not 0 < passed <= done.seconds:
        raise BenchFault(
            f"{work.name} at {address} gave no number: status {done.status} after {done.seconds:.3g} s, "
            f"output {done.output[-300:]!r}",
            hint="the commands are in bench/scenarios/network.py; a firewall may stand between",
            kind="failed",
        )
    return counted / passed


@contextmanager
def _serving(channel: Channel, work: Work, port: int) -> Iterator[None]:
    command = START.format(pinned=PINNED, server=work.server.format(port=port), port=port)
    started = channel.execute(command, now() + PATIENCE)
    pid = started.output.strip()
    if started.status or not pid.isdecimal():
        raise BenchFault(
            f"the server for {work.name} does not listen: {started.output[-200:]!r}",
            hint=f"port {port} may be in use: `ss -tlnp`",
            kind="failed",
        )
    try:
        yield
    finally:
        channel.execute(STOP.format(pid=pid), now() + PATIENCE)


def _address(channel: Channel) -> str:
    """Return the address of a container on the bridge, as it knows it."""
    words = channel.execute(ADDRESS, now() + PATIENCE).output.split()
    if not words:
        raise BenchFault(
            "the container has no address on the bridge",
            hint="`tare container run --network bridge` has to work here",
            kind="host",
        )
    return words[0]
