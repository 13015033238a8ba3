"""What starts that differ in nothing but their id have in common. Everything is decided here, once.

The spawner only acts.
"""

from __future__ import annotations

import hashlib
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime.cgroups.hierarchy import others
from runtime.cgroups.manager import Cgroup, Resources
from runtime.container.spec import environment
from runtime.errors import RuntimeFault
from runtime.linux import namespaces
from runtime.process import ground, kind
from runtime.rootfs import plan
from runtime.rootfs.plan import Bind, Place

if TYPE_CHECKING:
    from runtime.cgroups.hierarchy import Hierarchy
    from runtime.container.spec import ContainerSpec, NativeSpec
    from runtime.rootfs.plan import Sequence

_CLONED = namespaces.flags("pid")
_UNSHARED = namespaces.flags("mount", "uts", "ipc", "cgroup")
_ISOLATED = _UNSHARED | namespaces.flags("network")
_HOST_FILES = ("/etc/resolv.conf", "/etc/hosts")
_LONGEST = 3000  # bytes of the path of a record


class Roots(NamedTuple):
    """Where records are, and the directories of containers; bare processes have none."""

    run: Path
    data: Path | None


class Kind:
    """Containers or bare processes of one kind: `launch` and `ground` are what messages tell of them."""

    def __init__(
        self,
        spec: ContainerSpec | NativeSpec,
        roots: Roots,
        sequences: tuple[Sequence, ...],
        launch: dict[str, Any],
        cgroup: Cgroup | None,
    ) -> None:
        run, data = roots
        self.sequences, self.launch = sequences, launch
        self.ground = _ground(cgroup, spec.resources, data)
        self._name = "container" if data else "native"
        self._records, self._places = f"{run}/containers/", f"{data}/containers/" if data else ""
        self._cgroup, self._group = cgroup, f"{key(run)}-"
        self._wire = kind.wire(launch, self.ground)
        self._labels = dict(spec.labels)

    def message(self, name: str) -> tuple[dict[str, Any], Cgroup | None]:
        """Return what the spawner is told for the one of this id, and the cgroup that it makes."""
        record = self._records + name
        if len(record) > _LONGEST:
            raise RuntimeFault(f"the path of {name} is too long", kind="usage", hint="use a shorter --root")
        group = self._group + name
        cgroup = self._cgroup.named(group) if self._cgroup else None
        place = self._places and self._places + name
        return {
            "op": "start", "run": record, "state": self._state(name, place, cgroup), "kind": self._wire,
            "names": [name, group if cgroup else ""], "place": place,
            "hostname": self.launch["hostname"] or (name[:12] if self.launch["lo"] else ""),
            "born_in": cgroup.born_in if cgroup else None,
        }, cgroup  # fmt: skip

    def _state(self, name: str, place: str, cgroup: Cgroup | None) -> dict[str, Any]:
        return {
            "id": name, "kind": self._name, "labels": self._labels,
            "directories": [place] if place else [], "created": time.time(),
            "cgroups": list(cgroup.paths) if cgroup else [],
            "parents": list(cgroup.parents) if cgroup else [],
        }  # fmt: skip


@cache
def key(run: Path) -> str:
    """Short name of a run root: two roots on one host share the cgroup tree, and may use the same id."""
    return hashlib.sha256(str(run.absolute()).encode()).hexdigest()[:8]


def container(spec: ContainerSpec, run: Path, data: Path, hierarchy: Hierarchy) -> Kind:
    """Kind of a container; a limit that this host can't enforce is a fault."""
    cgroup = Cgroup.plan(hierarchy, ground.GROUP, spec.resources)
    mounts = (_host_files() if spec.network == "host" else ()) + spec.mounts
    sequences = plan.container(spec.layers, mounts, cgroup_v1=hierarchy.v1, readonly=spec.readonly)
    isolated = spec.network == "none"
    launch = {
        **_launch(spec, sequences, clone=_CLONED, unshare=_ISOLATED if isolated else _UNSHARED),
        "lo": isolated,
        "hostname": spec.hostname,
        "user": spec.user,
        "caps": spec.capabilities(),
        "no_new_privileges": spec.no_new_privileges,
        "seccomp": spec.seccomp,
    }
    return Kind(spec, Roots(run, data), sequences, launch, cgroup)


def _host_files() -> tuple[Bind, ...]:
    return tuple(Bind(Path(file), file, readonly=True) for file in _HOST_FILES if Path(file).exists())


def native(spec: NativeSpec, run: Path, hierarchy: Hierarchy) -> Kind:
    """Kind of a bare process."""
    cgroup = None
    if spec.resources is not None:
        beside = others(hierarchy) if spec.everywhere else ()
        cgroup = Cgroup.plan(hierarchy, ground.GROUP, spec.resources, beside)
    sequences = (plan.native(spec.root, spec.mounts),)
    launch = _launch(spec, sequences, clone=0, unshare=namespaces.flags("mount") if spec.mounts else 0)
    return Kind(spec, Roots(run, None), sequences, launch, cgroup)


def _launch(
    spec: ContainerSpec | NativeSpec, sequences: tuple[Sequence, ...], *, clone: int, unshare: int
) -> dict[str, Any]:
    return {
        "clone": clone, "unshare": unshare, "lo": False, "hostname": "",
        "mounts": [sequence.wire for sequence in sequences],
        "user": None, "caps": None, "no_new_privileges": False, "seccomp": b"", "cwd": spec.cwd,
        "args": list(spec.args), "env": environment(spec.env),
    }  # fmt: skip


def _ground(cgroup: Cgroup | None, resources: Resources | None, data: Path | None) -> bytes:
    """Return what all of a kind stand on: the directory, where there is one in `data`, and the cgroups."""
    place = Place(f"{data}/containers/{ground.ID}")
    make = [place.directory, place.upper, place.work, place.root] if data else []
    if not cgroup:
        return ground.kind(make, (), ())
    return ground.kind(make, cgroup.steps(resources or Resources()), cgroup.joined)
