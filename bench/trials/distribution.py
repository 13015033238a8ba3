"""The trials of the scenario `distribution`: from a push to a box that runs, on clean hosts.

A host is an empty store of its own. Layers and disks go the same way: by Tare's client to a docker-registry
on loopback and back, through a relay that counts. Cold: the registry and the hosts have nothing. Changed:
they have the image, of which one line in one file is another now.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from bench.clock import elapsed, now
from bench.ladder import climb
from bench.target import Box, Image, Launcher, Prepared
from bench.targets import confinement
from bench.targets.container import ContainerLauncher
from bench.targets.drivers import Drivers
from bench.targets.machine import BOUNDARY as GUEST
from bench.targets.machine import GuestLauncher, direct
from bench.trials.disks import Disks, make
from bench.trials.registry_server import registry
from bench.trials.relay import Relay, relaying
from bench.trials.tools import translated
from bench.value import Value
from bench.workloads.agent import PATH as AGENT
from bench.workloads.images import provide
from runtime.cgroups.manager import Resources
from runtime.container import ContainerSpec
from runtime.container.scratch import scratch
from runtime.image import Reference
from runtime.image.commit import derive
from runtime.image.image import Image as Stored
from runtime.image.layer.entry import File
from runtime.image.store import Store
from runtime.registry import pull, push
from vmdriver.spec import Disk

HOSTS = 3
MIB = 2**20
BOX = Box("layers-base", 512 * MIB, root="linked")
CHANGE = {"/etc/motd.tare": b"one line is another now\n"}
WAY = (
    f"{HOSTS} clean stores pull from a docker-registry on loopback, to which the image is pushed before; "
    "bytes are those of both directions at the registry's socket, with all headers; the time is that of the "
    "push, one host's pull, and the start until the first correct reply; "
)
NUMBERS = count()

Start = Callable[[Store, Stored], Launcher]


@dataclass(frozen=True)
class Moved:
    """A version to move: its image, and the parameters of what is measured."""

    image: Stored
    name: str
    params: Sequence[dict[str, str]]
    start: bool = True
    shares: bool = True
    """Whether hosts that have the cold one already have a part of it."""


@dataclass(frozen=True)
class Distribution:
    """Moves versions of one image from `source`, the first one to clean hosts."""

    drivers: Drivers
    prepared: Prepared
    source: Store
    cold: Moved
    changed: Sequence[Moved]
    start: Start

    def take(self) -> list[Value]:
        """Move all versions, each changed one after the first."""
        found: list[Value] = []
        for number, version in enumerate(self.changed):
            first = number == 0
            with self._hosts() as hosts, registry(self.drivers) as server, relaying(server.host) as relay:
                if first:
                    found += self._move(self.cold, relay, hosts)
                elif version.shares:
                    self._move(replace(self.cold, start=False), relay, hosts)
                found += self._move(version, relay, hosts)
        return found

    @contextmanager
    def _hosts(self) -> Iterator[list[Store]]:
        with ExitStack() as stack:
            yield [Store(stack.enter_context(scratch(self.drivers.data)) / "images") for _ in range(HOSTS)]

    def _move(self, version: Moved, relay: Relay, hosts: Sequence[Store]) -> list[Value]:
        with translated():
            return self._moved(version, relay, hosts)

    def _moved(self, version: Moved, relay: Relay, hosts: Sequence[Store]) -> list[Value]:
        reference = Reference.parse(f"{relay.host}/course/moved:{version.name}")
        before, begun = relay.moved, now()
        push(self.source, str(version.image.digest), reference)
        pushing, pushed, sums = elapsed(begun, now()), relay.moved - before, []
        for host in hosts:
            begun = now()
            starts = version.start and host is hosts[-1]
            pull(host, reference, unpack=starts and self.prepared.accelerator is None)
            arrival = pushing + elapsed(begun, now())
            sums.append(relay.moved - before)
        running = arrival + self._ready(hosts[-1], reference) if version.start else None
        return [
            value
            for params in version.params
            for value in _values(params, pushed, sums, arrival=arrival, running=running)
        ]

    def _ready(self, host: Store, reference: Reference) -> float:
        launcher = self.start(host, host.resolve(reference))
        begun = now()
        with climb(launcher, f"moved-{next(NUMBERS)}") as running:
            return elapsed(begun, running.ladder.ready)


def _values(
    params: dict[str, str], pushed: int, sums: Sequence[int], *, arrival: float, running: float | None
) -> list[Value]:
    per_host = (sums[-1] - pushed) / len(sums)
    found = [
        Value("pushed", "B", pushed, params, steady=True),
        Value("pulled", "B", per_host, params, steady=True),
        *(Value("moved", "B", total, {**params, "n": n}, steady=True) for n, total in enumerate(sums, 1)),
        Value("arrival", "s", arrival, params),
    ]
    return [*found, Value("running", "s", running, params)] if running is not None else found


@contextmanager
def layers(drivers: Drivers) -> Iterator[Distribution]:
    """Prepare an image of layers and the same with one more small layer."""
    with translated():
        base = provide(drivers, BOX.workload)
        files = {path: File(content) for path, content in CHANGE.items()}
        changed = derive(drivers.store, base.image, files, "tare/moved:changed")
        prepared = Prepared(Image(base.reference, str(base.image.digest)), None, WAY + "layers are unpacked")
    template = ContainerSpec(
        id="template", layers=(Path("/"),), args=(AGENT,), resources=Resources(BOX.memory, BOX.cpus),
        seccomp=confinement.program(),
    )  # fmt: skip

    def start(host: Store, image: Stored) -> Launcher:
        return ContainerLauncher(drivers, replace(template, layers=host.layer_paths(image)), prepared)

    both = [{"state": "changed", "disk": "delta"}, {"state": "changed", "disk": "full"}]
    yield Distribution(
        drivers, prepared, drivers.store, Moved(base.image, "1", [{"state": "cold"}]),
        [Moved(changed, "2", both)], start,
    )  # fmt: skip


@contextmanager
def disks(drivers: Drivers) -> Iterator[Distribution]:
    """Prepare the same image as disks, and the guest that boots them."""
    with direct(drivers).launcher(BOX) as guest, scratch(drivers.data) as place, translated():
        if not isinstance(guest, GuestLauncher):
            raise TypeError(f"{guest} starts no guests")
        tree = drivers.store.checkout(provide(drivers, BOX.workload).image)
        source = Store(place / "images")
        made = make(source, tree, CHANGE, place)
        boundary = WAY + f"disks are qcow2, compressed, of the same files; {GUEST}"
        prepared = replace(guest.prepared, boundary=boundary)

        def start(host: Store, image: Stored) -> Launcher:
            disk = Disk(host.blobs.path(image.layers[-1].digest), "qcow2", private="linked")
            return replace(guest, spec=replace(guest.spec, disks=(disk,)))

        yield Distribution(drivers, prepared, source, _cold(made), _changed(made), start)


def _cold(made: Disks) -> Moved:
    return Moved(made.base, "1", [{"state": "cold"}])


def _changed(made: Disks) -> list[Moved]:
    return [
        Moved(made.delta, "2", [{"state": "changed", "disk": "delta"}]),
        Moved(made.full, "3", [{"state": "changed", "disk": "full"}], start=False, shares=False),
    ]
