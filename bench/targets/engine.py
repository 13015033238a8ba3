"""What docker and podman have in common: `run --detach` from an image of theirs, and `rm --force`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.target import Box, Instance, Member, Prepared
from bench.targets import pipes, roles
from bench.targets.calls import Call, Calls
from bench.targets.nest import Nest
from bench.targets.oci_runtime import returned
from bench.targets.pipes import Pipes
from runtime.process.removal import remove_tree

HELPERS: Mapping[str, str] = {"conmon": "conmon", "containerd-shim-runc-v2": "containerd-shim"}
LOADING = 300.0
"""Seconds in which an engine has to take an image in."""


@dataclass(frozen=True)
class Engine:
    """An engine's client and what differs between engines.

    `cgroup(name)` is the parent that the container `name` is given, `helpers(id)` finds processes outside of
    it that exist because of the container with that id, `apart` says that the parent charges all of it.
    """

    calls: Calls
    nest: Nest
    box: Box
    reference: str
    options: tuple[str, ...]
    remove: tuple[str, ...]
    helpers: Callable[[str], Sequence[int]]
    own_parent: bool

    def run(self, name: str, place: Path) -> Call:
        """Ask for a container; returns at once."""
        box = self.box
        pids = ("--pids-limit", str(box.pids)) if box.pids else ()
        return self.calls.begin(
            "run", "run", "--detach", "--name", name, "--cidfile", f"{place}/id", "--network", "none",
            "--memory", str(box.memory), "--cpus", str(box.cpus), "--cgroup-parent", self.parent(name),
            "--volume", f"{place}:{pipes.INSIDE}", *pids, *self.options, self.reference, *pipes.COMMAND,
        )  # fmt: skip

    def parent(self, name: str) -> str:
        """Return the cgroup below which the engine makes the container's."""
        return f"{self.nest.path}/{name}" if self.own_parent else self.nest.path


@dataclass(frozen=True)
class EngineInstance:
    """A container of an engine."""

    name: str
    engine: Engine
    call: Call
    pipes: Pipes
    console: int | None = None

    @property
    def agent(self) -> int:
        """What the workload writes."""
        return self.pipes.agent

    @property
    def requests(self) -> int | None:
        """What it reads."""
        return self.pipes.requests

    @property
    def id(self) -> str:
        """The engine's name for the container, of 64 digits; empty while there is none."""
        try:
            return (self.pipes.place / "id").read_text().strip()
        except FileNotFoundError:
            return ""

    @property
    def memory_cgroup(self) -> Path | None:
        """The parent that is this container's alone; else the daemon and all containers are one."""
        return self.engine.nest.memory / self.name if self.engine.own_parent else None

    @property
    def storage(self) -> Sequence[Path]:
        """The writable layer."""
        asked = ("inspect", "--type", "container", "--format", "{{.GraphDriver.Data.UpperDir}}", self.name)
        return (Path(self.engine.calls.run("inspect", *asked).strip()),)

    def members(self) -> Sequence[Member]:
        """Return the container's processes and the helpers that exist because of it."""
        identity = self.id
        inside = self.engine.nest.pids(self.name if self.engine.own_parent else identity)
        found = {*inside, *self.engine.helpers(identity)} if identity else ()
        return roles.members(sorted(found), HELPERS, "container")

    def remove(self) -> None:
        """Have the engine kill and remove it; what that leaves of processes and cgroups is ended too."""
        place = self.pipes.place
        if not place.exists():
            return
        try:
            self._end_call()
            self.engine.calls.run("remove", *self.engine.remove, self.name)
        finally:
            group = self.name if self.engine.own_parent else self.id
            if group:
                self.engine.nest.clear(group)
            self.call.drop()
            self.pipes.close()
            remove_tree(str(place))

    def _end_call(self) -> None:
        """Let a client that is still on its way come to its end: what it has asked for could come after."""
        try:
            self.call.started.wait(10.0)
        except TimeoutError:
            self.call.started.kill()

    def leftovers(self) -> Sequence[str]:
        """Name what is still there: what the engine knows of it, cgroups, processes, files."""
        known = self.engine.calls.run("ps", "ps", "--all", "--quiet", "--filter", f"name=^{self.name}$")
        groups = self.engine.nest.groups(self.name) if self.engine.own_parent else ()
        place = self.pipes.place
        return [
            *(f"container {word}" for word in known.split()),
            *(f"cgroup {path}" for path in groups),
            *self.call.started.leftovers(),
            *([f"file {place}"] if place.exists() else []),
        ]

    def log(self) -> str:
        """Return what the client said."""
        return self.call.said


@dataclass(frozen=True)
class EngineLauncher:
    """Starts containers of one image."""

    engine: Engine
    prepared: Prepared
    taken: set[str] = field(default_factory=set)

    def start(self, name: str, *, ledger: bool = False) -> Instance:  # noqa: ARG002 - always in a cgroup
        """Ask for the container, and wait for the answer or the workload's first word."""
        place = self.engine.calls.place / name
        place.mkdir()
        with ExitStack() as undo:
            undo.callback(remove_tree, str(place))
            channel = Pipes.make(place)
            undo.callback(channel.close)
            call = self.engine.run(name, place)
            undo.pop_all()
        instance = EngineInstance(name, self.engine, call, channel)
        try:
            returned(call, channel.agent)
        except BaseException:
            instance.remove()
            raise
        return instance
