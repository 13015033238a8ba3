"""Turn a specification into a request. Everything is decided here; the spawner only acts."""

from __future__ import annotations

import hashlib
import time
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.cgroups.hierarchy import others
from runtime.cgroups.manager import Cgroup, Resources
from runtime.container.spec import environment
from runtime.errors import RuntimeFault
from runtime.linux import namespaces
from runtime.process import ground
from runtime.rootfs import plan
from runtime.rootfs.plan import Bind, Place

if TYPE_CHECKING:
    from runtime.cgroups.hierarchy import Hierarchy, Tree
    from runtime.container.spec import ContainerSpec, NativeSpec
    from runtime.rootfs.plan import Sequence
    from runtime.rootfs.steps import Step

_CLONED = namespaces.flags("pid")
_UNSHARED = namespaces.flags("mount", "uts", "ipc", "cgroup")
_ISOLATED = _UNSHARED | namespaces.flags("network")
_HOST_FILES = ("/etc/resolv.conf", "/etc/hosts")


class Request:
    """The message for the spawner, the steps it contains, and the cgroup it will make."""

    def __init__(
        self, sequences: tuple[Sequence, ...], cgroup: Cgroup | None, message: dict[str, Any]
    ) -> None:
        self.sequences, self.cgroup, self.message = sequences, cgroup, message

    @property
    def steps(self) -> list[Step]:
        """All steps in order, as the spawner counts them."""
        return [step for sequence in self.sequences for step in sequence.steps]

    @property
    def ground(self) -> tuple[list[str], list[list[str]], list[str]]:
        """Directories, steps of `cgroups.tree`, and v1 cgroups to join: all that comes before the root."""
        return ground.Ground(self.message["ground"]).of(self.message["names"])


@cache
def key(run: Path) -> str:
    """Short name of a run root: two roots on one host share the cgroup tree, and may use the same id."""
    return hashlib.sha256(str(run.absolute()).encode()).hexdigest()[:8]


def container(spec: ContainerSpec, run: Path, data: Path, hierarchy: Hierarchy) -> Request:
    """Request for a container."""
    place = Place(f"{data}/containers/{spec.id}")
    cgroup = Cgroup.plan(hierarchy, f"{key(run)}-{spec.id}", spec.resources)
    mounts = (_host_files() if spec.network == "host" else ()) + spec.mounts
    sequences = plan.container(spec.layers, mounts, cgroup_v1=hierarchy.v1, readonly=spec.readonly)
    isolated = spec.network == "none"
    launch = {
        **_launch(spec, sequences, clone=_CLONED, unshare=_ISOLATED if isolated else _UNSHARED),
        "place": place.directory,
        "lo": isolated,
        "hostname": spec.hostname or (spec.id[:12] if isolated else ""),
        "user": spec.user,
        "caps": spec.capabilities(),
        "no_new_privileges": spec.no_new_privileges,
    }
    state = _state(spec, "container", cgroup, [place.directory])
    return Request(sequences, cgroup, _message(run, state, launch, cgroup, spec.resources, data=data))


def _host_files() -> tuple[Bind, ...]:
    return tuple(Bind(Path(file), file, readonly=True) for file in _HOST_FILES if Path(file).exists())


def native(spec: NativeSpec, run: Path, hierarchy: Hierarchy) -> Request:
    """Request for a bare process."""
    cgroup = None
    if spec.resources is not None:
        beside = others(hierarchy) if spec.everywhere else ()
        cgroup = Cgroup.plan(hierarchy, f"{key(run)}-{spec.id}", spec.resources, beside)
    sequences = (plan.native(spec.root, spec.mounts),)
    launch = _launch(spec, sequences, clone=0, unshare=namespaces.flags("mount") if spec.mounts else 0)
    message = _message(run, _state(spec, "native", cgroup, []), launch, cgroup, spec.resources)
    return Request(sequences, cgroup, message)


def _launch(
    spec: ContainerSpec | NativeSpec, sequences: tuple[Sequence, ...], *, clone: int, unshare: int
) -> dict[str, Any]:
    return {
        "clone": clone, "unshare": unshare, "place": "", "lo": False, "hostname": "",
        "mounts": [sequence.wire for sequence in sequences],
        "user": None, "caps": None, "no_new_privileges": False, "cwd": spec.cwd, "args": list(spec.args),
        "env": environment(spec.env),
    }  # fmt: skip


def _state(
    spec: ContainerSpec | NativeSpec, kind: str, cgroup: Cgroup | None, held: list[str]
) -> dict[str, Any]:
    return {
        "id": spec.id, "kind": kind, "args": list(spec.args), "labels": spec.labels, "directories": held,
        "created": time.time(),
        "cgroups": list(cgroup.paths) if cgroup else [],
        "parents": list(cgroup.parents) if cgroup else [],
    }  # fmt: skip


def _message(
    run: Path,
    state: dict[str, Any],
    launch: dict[str, Any],
    cgroup: Cgroup | None,
    resources: Resources | None,
    *,
    data: Path | None = None,
) -> dict[str, Any]:
    trees = (tuple(cgroup.trees.items()), cgroup.others) if cgroup else ((), ())
    where = f"{run}/containers/{state['id']}"
    if len(where) > 3000:  # noqa: PLR2004
        raise RuntimeFault(
            f"the path of {state['id']} is too long", kind="usage", hint="use a shorter --root"
        )
    return {
        "op": "start", "run": where, "state": state, "launch": launch,
        "ground": _ground(*trees, resources, data), "names": [state["id"], cgroup.name if cgroup else ""],
        "born_in": cgroup.born_in if cgroup else None,
    }  # fmt: skip


@lru_cache(maxsize=64)
def _ground(
    trees: tuple[tuple[str, Tree], ...],
    others: tuple[Tree, ...],
    resources: Resources | None,
    data: Path | None,
) -> bytes:
    """Return what all of a kind stand on: the directory, where there is one in `data`, and the cgroups."""
    place = Place(f"{data}/containers/{ground.ID}")
    make = [place.directory, place.upper, place.work, place.root] if data else []
    if not trees:
        return ground.kind(make, (), ())
    cgroup = Cgroup(ground.GROUP, dict(trees), others)
    return ground.kind(make, cgroup.steps(resources or Resources()), cgroup.joined)
