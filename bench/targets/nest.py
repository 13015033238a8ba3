"""A group of cgroups of ours, below which other runtimes make those of their instances.

It is on record as a container's is, so whoever dies with a runtime's instances still running leaves a name
by which `tare system prune` finds and ends all of them.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.errors import BenchFault
from runtime.cgroups import tree
from runtime.cgroups.hierarchy import mounts
from runtime.cgroups.manager import GROUP, Cgroup, Resources
from runtime.container import NativeSpec, Spawner

NUMBERS = count()


@dataclass(frozen=True)
class Nest:
    """The group; `path` is what a runtime calls it: from the mount point of each hierarchy on."""

    cgroup: Cgroup

    @property
    def path(self) -> str:
        """The group's path below every hierarchy."""
        return f"/{GROUP}/{self.cgroup.name}"

    @property
    def memory(self) -> Path:
        """Directory of the memory controller."""
        found = self.cgroup.path("memory")
        if found is None:
            raise BenchFault(
                "this host has no memory controller for limits and a ledger",
                hint="enable the memory cgroup controller",
                kind="host",
            )
        return found

    def groups(self, name: str = "") -> list[str]:
        """Every directory of the group `name` below this one, in whichever hierarchy a runtime made it."""
        places = (Path(f"{mount}{self.path}", name) for mount in mounts())
        return [str(place) for place in places if place.is_dir()]

    def pids(self, name: str = "") -> Sequence[int]:
        """Return the processes in the group `name` and below it."""
        below = tree.descendants(str(self.memory / name))
        return sorted({pid for directory in below for pid in tree.processes(directory)})

    def clear(self, name: str = "") -> None:
        """End what is left in the group `name` and remove it in every hierarchy."""
        tree.remove(self.groups(name))


@contextmanager
def nest(spawner: Spawner, name: str) -> Iterator[Nest]:
    """Make the group without a process in it, as version 2 wants of one that has groups below; remove it."""
    spec = NativeSpec(
        id=f"nest-{name}-{os.getpid()}-{next(NUMBERS)}", args=("/bin/true",), resources=Resources()
    )
    with spawner.start_native(spec, stdin=0, stdout=2, stderr=2) as holder:
        holder.wait()
        if holder.cgroup is None:
            raise AssertionError
        made = Nest(holder.cgroup)
        try:
            yield made
        finally:
            made.clear()
