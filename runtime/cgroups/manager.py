"""The cgroup of one instance: which directories and writes it takes on this host, and its figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.cgroups import cpu, memory, pids
from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime.cgroups.hierarchy import Hierarchy, Tree

GROUP = "tare"
_LEAST_MEMORY = 512 * 1024
_MOST_CPUS = 8192  # NR_CPUS of the largest kernels


@dataclass(frozen=True)
class Resources:
    """Limits; None is no limit.

    Memory in bytes, swap included; CPUs (0.5 is half of one); processes and threads together.
    """

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None

    def __post_init__(self) -> None:
        if self.memory is not None and self.memory < _LEAST_MEMORY:
            raise RuntimeFault(
                f"a memory limit of {self.memory} bytes is too small", kind="usage", hint="use 6m or more"
            )
        if self.cpus is not None and not 0 < self.cpus < _MOST_CPUS:
            raise RuntimeFault(f"a limit of {self.cpus} CPUs can't be", kind="usage", hint="for example 0.5")
        if self.pids is not None and self.pids < 1:
            raise RuntimeFault(
                f"a limit of {self.pids} processes is not above 0", kind="usage", hint="for example 100"
            )


@dataclass(frozen=True)
class Stats:
    """What a cgroup reports now."""

    memory: memory.Memory
    cpu: cpu.Cpu
    pids: int


@dataclass(frozen=True)
class Cgroup:
    """Directories of one instance by controller; nothing is created before the steps are carried out.

    `paths` is every directory, each once, since controllers may share a tree; `parents` those that all
    instances share. `born_in` is the v2 directory, into which clone3 can put the process from its first
    moment, `joined` the v1 directories, into which the process has to be moved.
    """

    name: str
    trees: Mapping[str, Tree] = field(repr=False)
    others: tuple[Tree, ...] = field(default=(), repr=False)
    paths: tuple[str, ...] = field(init=False, repr=False, compare=False)
    parents: tuple[str, ...] = field(init=False, repr=False, compare=False)
    born_in: str | None = field(init=False, repr=False, compare=False)
    joined: tuple[str, ...] = field(init=False, repr=False, compare=False)

    @classmethod
    def plan(
        cls, hierarchy: Hierarchy, name: str, resources: Resources, others: tuple[Tree, ...] = ()
    ) -> Cgroup:
        """Cgroup `name` below the group of all instances; a limit that this host can't enforce is a fault.

        `others` are hierarchies that nothing is limited or measured by: a command that makes cgroups in all
        of them makes them below this one.
        """
        wanted = {"memory": resources.memory, "cpu": resources.cpus, "pids": resources.pids}
        for controller, value in wanted.items():
            if value is not None:
                hierarchy.tree(controller)
        return cls(name, hierarchy.trees, others)

    def path(self, controller: str) -> Path | None:
        """Directory of `controller`, or None where this host does not have it."""
        tree = self.trees.get(controller)
        return Path(self._in(tree)) if tree else None

    def __post_init__(self) -> None:
        # Not cached properties, each of which takes a lock: every start waits for these.
        trees = [(self._in(tree), tree.version) for tree in (*self.trees.values(), *self.others)]
        paths = tuple(dict.fromkeys(path for path, _ in trees))
        born_in = next((path for path, version in trees if version != 1), None)
        vars(self).update(
            paths=paths,
            parents=tuple(path.rpartition("/")[0] for path in paths),
            born_in=born_in,
            joined=tuple(path for path in paths if path != born_in),
        )

    def named(self, name: str) -> Cgroup:
        """Return the same of another instance."""
        # Not made anew: it is less than half of the work, and every start waits for it.
        paths = tuple([f"{parent}/{name}" for parent in self.parents])
        born_in = f"{self.born_in.rpartition('/')[0]}/{name}" if self.born_in else None
        joined = tuple([path for path in paths if path != born_in]) if born_in else paths
        made = object.__new__(Cgroup)
        vars(made).update(vars(self), name=name, paths=paths, born_in=born_in, joined=joined)
        return made

    def steps(self, resources: Resources) -> list[tuple[str, ...]]:
        """Return what `cgroups.tree.make` has to do, in order."""
        found: list[tuple[str, ...]] = []
        born_in = self.born_in
        down = " ".join(f"+{name}" for name, tree in self.trees.items() if tree.version != 1)
        for parent, path in zip(self.parents, self.paths, strict=True):
            found.append(("mkdir", parent))
            if path == born_in and down:
                # A controller works in a v2 directory only if every ancestor hands it down.
                found += [("enable", parent.rpartition("/")[0], down), ("enable", parent, down)]
            found.append(("mkdir", path))
        for tree in self.others:
            path = self._in(tree)
            if tree.version == 1:
                found += [("inherit", path.rpartition("/")[0]), ("inherit", path)]
        return found + self._limits(resources)

    def _limits(self, resources: Resources) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        if resources.memory is not None and (tree := self.trees.get("memory")):
            found += memory.limit(tree, self._in(tree), resources.memory)
        if resources.cpus is not None and (tree := self.trees.get("cpu")):
            found += cpu.limit(tree, self._in(tree), resources.cpus)
        if resources.pids is not None and (tree := self.trees.get("pids")):
            found += pids.limit(self._in(tree), resources.pids)
        return found

    def _in(self, tree: Tree) -> str:
        return f"{tree.mount!s}/{GROUP}/{self.name}"

    def oom_kills(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        tree = self.trees.get("memory")
        return memory.oom_kills(tree, self._in(tree)) if tree else 0

    def stats(self) -> Stats:
        """Figures now; a host fault where a controller is missing."""
        found = {name: self.path(name) for name in ("memory", "cpu", "pids")}
        missing = [name for name, path in found.items() if path is None]
        if missing:
            raise RuntimeFault(f"this host has no {missing[0]} cgroup controller", kind="host")
        memory_path, cpu_path, pids_path = (path for path in found.values() if path)
        return Stats(
            memory.read(self.trees["memory"], memory_path),
            cpu.read(self.trees["cpu"], cpu_path, self.path("cpuacct")),
            pids.read(pids_path),
        )
