"""What all runtimes with the command line of runc have in common: a bundle, `run --detach`, `delete`."""

import json
import select
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from bench.target import Availability, Box, Image, Instance, Kind, Launcher, Member, Prepared
from bench.targets import oci_bundle, roles
from bench.targets.calls import Call, Calls
from bench.targets.drivers import Drivers
from bench.targets.faults import translated
from bench.targets.hosting import lacks
from bench.targets.nest import Nest, nest
from bench.targets.program import Program, found
from bench.workloads.images import provide
from runtime.container.scratch import scratch
from runtime.process.removal import remove_tree

BOUNDARY = (
    "every process of the container's cgroup{helpers}; pid, mount, net, uts, ipc and cgroup namespaces, "
    "memory and CPU limits, docker's capabilities and filter of system calls, the root a flattened copy that "
    "all instances share read-only, no overlay; the runtime's command is inside the ladder and has ended "
    "when the instance is idle{note}"
)
SECONDS = 60.0
"""In which a client has to return or the workload to speak."""


@dataclass(frozen=True)
class OciInstance:
    """A container by its name, with a channel that its first process inherited."""

    name: str
    calls: Calls
    nest: Nest
    call: Call
    channel: socket.socket
    roles: Mapping[str, str]
    place: Path
    requests: int | None = None
    console: int | None = None
    storage: Sequence[Path] = ()

    @property
    def agent(self) -> int:
        """Our end of the channel."""
        return self.channel.fileno()

    @property
    def memory_cgroup(self) -> Path | None:
        """The container's own, in which the runtime's helpers are too, where it has any."""
        return self.nest.memory / self.name

    def members(self) -> Sequence[Member]:
        """Return the processes of the cgroup."""
        return roles.members(self.nest.pids(self.name), self.roles, "container")

    def remove(self) -> None:
        """Have the runtime kill and delete it; what that leaves of processes and cgroups is ended too."""
        if not self.place.exists():
            return
        try:
            self.calls.run("delete", "delete", "--force", self.name)
        finally:
            self.nest.clear(self.name)
            self.call.drop()
            self.channel.close()
            remove_tree(str(self.place))

    def leftovers(self) -> Sequence[str]:
        """Name what is still there: cgroups, the bundle, the runtime's own record."""
        records = [path for path in (self.place.parent / "root").glob(f"**/*{self.name}*") if path.exists()]
        files = [*records, *([self.place] if self.place.exists() else [])]
        groups = [f"cgroup {path}" for path in self.nest.groups(self.name)]
        return [*self.call.started.leftovers(), *groups, *(f"file {path}" for path in files)]

    def log(self) -> str:
        """Return what the runtime's command said."""
        return self.call.said


@dataclass(frozen=True)
class OciLauncher:
    """Starts containers of one root with one runtime."""

    calls: Calls
    nest: Nest
    root: Path
    box: Box
    roles: Mapping[str, str]
    prepared: Prepared

    def start(self, name: str, *, ledger: bool = False) -> Instance:  # noqa: ARG002 - always in a cgroup
        """Write the bundle, have the runtime run it, and wait for its return or the workload's first word."""
        place = self.calls.place / name
        place.mkdir()
        document = oci_bundle.config(self.root, self.box, f"{self.nest.path}/{name}")
        (place / "config.json").write_text(json.dumps(document))
        ours, theirs = socket.socketpair()
        with ExitStack() as undo, theirs:
            undo.callback(ours.close)
            undo.callback(remove_tree, str(place))
            words = ("run", "--detach", "--bundle", str(place), name)
            call = self.calls.begin(name, *words, stdio=theirs.fileno())
            undo.pop_all()
        instance = OciInstance(name, self.calls, self.nest, call, ours, self.roles, place)
        try:
            returned(call, ours.fileno())
        except BaseException:
            instance.remove()
            raise
        return instance


def returned(call: Call, channel: int) -> None:
    """Wait until the command has returned or the workload speaks, whichever is first.

    A workload may answer before the command that started it ends, and is not to be read late for that.
    BenchFault when the command fails.
    """
    poll = select.poll()
    poll.register(call.started.pidfd, select.POLLIN)
    poll.register(channel, select.POLLIN)
    ready = [descriptor for descriptor, _ in poll.poll(SECONDS * 1000)]
    if channel not in ready or call.started.pidfd in ready:
        call.finish(0.0 if ready else 0.001)


@dataclass(frozen=True)
class Oci:
    """A runtime that takes runc's command line; `options` go before its verbs."""

    drivers: Drivers
    name: str
    title: str
    program: Program
    reason: str
    options: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    kind: Kind = "container"

    def availability(self) -> Availability:
        """Needs the program, root, cgroups and filters of system calls."""
        missing = lacks(filters=True)
        if missing:
            return Availability(available=False, reason=missing)
        return found(self.program, reason=self.reason)

    def around(self) -> AbstractContextManager[tuple[str, ...]]:
        """Give the words that come before the program's."""
        return nullcontext(())

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Flatten the image once, as the bare process has it; each instance gets a bundle."""
        with translated():
            image = provide(self.drivers, box.workload)
            root = self.drivers.store.checkout(image.image)
        helpers = f" ({', '.join(self.roles.values())} among them)" if self.roles else ""
        boundary = BOUNDARY.format(helpers=helpers, note=self.note)
        prepared = Prepared(Image(image.reference, str(image.image.digest)), None, boundary, (root,))
        spawner = self.drivers.spawner
        with scratch(self.drivers.run) as place, nest(spawner, self.name) as group, self.around() as first:
            words = (*first, self.program.path, "--root", f"{place}/root", *self.options)
            calls = Calls(spawner, place, words)
            yield OciLauncher(calls, group, root, box, self.roles, prepared)
