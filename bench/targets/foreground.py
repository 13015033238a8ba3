"""What all boxes have in common whose command stays in the foreground: it and all below it are the box."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.target import AcceleratorName, Box, Image, Instance, Member, Prepared
from bench.targets import roles
from bench.targets.calls import ENVIRONMENT
from bench.targets.drivers import Drivers
from bench.targets.faults import translated
from bench.workloads.images import provide
from runtime.cgroups import tree
from runtime.cgroups.manager import Resources
from runtime.container import NativeSpec
from runtime.container.scratch import scratch
from runtime.container.started import Started
from runtime.process.removal import remove_tree

Words = Callable[[str, Path], tuple[str, ...]]
"""The command of an instance, from its name and from a directory of its own."""
LOG = "log"


@dataclass(frozen=True)
class ForegroundInstance:
    """A command in a cgroup of its own, and what it made below that."""

    name: str
    started: Started
    channel: socket.socket
    place: Path
    roles: Mapping[str, str]
    traces: Sequence[Path]
    requests: int | None = None
    console: int | None = None
    storage: Sequence[Path] = ()

    @property
    def agent(self) -> int:
        """Our end of the channel."""
        return self.channel.fileno()

    @property
    def memory_cgroup(self) -> Path | None:
        """The cgroup around the command."""
        return self.started.cgroup.path("memory") if self.started.cgroup else None

    def members(self) -> Sequence[Member]:
        """Return the processes of the cgroup and those below it."""
        below = tree.descendants(str(self.memory_cgroup))
        pids = sorted({pid for directory in below for pid in tree.processes(directory)})
        return roles.members(pids, self.roles, "workload")

    def remove(self) -> None:
        """Kill everything in the cgroup and remove what the command keeps on files."""
        if not self.place.exists():
            return
        with translated():
            self.started.remove()
        self.channel.close()
        for trace in self.traces:
            _remove(trace)
        remove_tree(str(self.place))

    def leftovers(self) -> Sequence[str]:
        """Name what is still there."""
        files = [f"file {path}" for path in (self.place, *self.traces) if os.path.lexists(path)]
        return [*self.started.leftovers(), *files]

    def log(self) -> str:
        """Return what the command said apart from the channel."""
        try:
            return (self.place / LOG).read_text(errors="replace")
        except FileNotFoundError:
            return ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(str(path))
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class ForegroundLauncher:
    """Starts instances by one command; `traces` names the files that one may leave outside its directory."""

    drivers: Drivers
    place: Path
    words: Words
    limits: Resources
    roles: Mapping[str, str]
    prepared: Prepared
    traces: Callable[[str], Sequence[Path]] = field(default=lambda _name: ())
    env: tuple[str, ...] = ()
    everywhere: bool = False

    def start(self, name: str, *, ledger: bool = False) -> Instance:  # noqa: ARG002 - always in a cgroup
        """Start the command in its cgroup with one end of a socket pair as standard input and output."""
        place = self.place / name
        place.mkdir()
        ours, theirs = socket.socketpair()
        try:
            spec = NativeSpec(
                id=name, args=self.words(name, place), env=(*ENVIRONMENT, *self.env), resources=self.limits,
                everywhere=self.everywhere,
            )  # fmt: skip
            with theirs, (place / LOG).open("wb") as log, translated():
                end = theirs.fileno()
                started = self.drivers.spawner.start_native(spec, stdin=end, stdout=end, stderr=log.fileno())
        except BaseException:
            ours.close()
            remove_tree(str(place))
            raise
        return ForegroundInstance(name, started, ours, place, self.roles, self.traces(name))


@dataclass(frozen=True)
class Root:
    """The image as a directory, flattened once and shared by all instances, and a place for theirs."""

    image: Image
    path: Path
    place: Path

    def prepared(
        self, boundary: str, accelerator: AcceleratorName | None = None, boots: Sequence[Path] = ()
    ) -> Prepared:
        """Return what the instances have in common."""
        return Prepared(self.image, accelerator, boundary, (self.path,), boots=boots)


@contextmanager
def root(drivers: Drivers, box: Box) -> Iterator[Root]:
    """Flatten the image of `box`; the place is gone at the end."""
    with translated():
        image = provide(drivers, box.workload)
        path = drivers.store.checkout(image.image)
    with scratch(drivers.run) as place:
        yield Root(Image(image.reference, str(image.image.digest)), path, place)
