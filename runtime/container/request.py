"""Turn a specification into a request. Everything is decided here; the spawner only acts."""

from __future__ import annotations

import hashlib
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.cgroups.manager import Cgroup, Resources
from runtime.container.spec import environment
from runtime.errors import RuntimeFault
from runtime.linux import namespaces
from runtime.rootfs import plan
from runtime.rootfs.plan import Bind, Place

if TYPE_CHECKING:
    from runtime.cgroups.hierarchy import Hierarchy
    from runtime.container.spec import ContainerSpec, NativeSpec
    from runtime.rootfs.steps import Step

_NAMESPACES = ("mount", "uts", "ipc", "cgroup")
_HOST_FILES = ("/etc/resolv.conf", "/etc/hosts")


class Request:
    """The message for the spawner, the steps it contains, and the cgroup it will make."""

    def __init__(self, steps: list[Step], cgroup: Cgroup | None, message: dict[str, Any]) -> None:
        self.steps, self.cgroup, self.message = steps, cgroup, message


@cache
def key(run: Path) -> str:
    """Short name of a run root: two roots on one host share the cgroup tree, and may use the same id."""
    return hashlib.sha256(str(run.absolute()).encode()).hexdigest()[:8]


def container(spec: ContainerSpec, run: Path, data: Path, hierarchy: Hierarchy) -> Request:
    """Request for a container."""
    place = Place(data / "containers" / spec.id)
    cgroup = Cgroup.plan(hierarchy, f"{key(run)}-{spec.id}", spec.resources)
    v1 = tuple(name for name, tree in hierarchy.trees.items() if tree.version == 1)
    binds = (_host_files() if spec.network == "host" else ()) + spec.mounts
    steps = plan.container(spec.layers, place, binds, cgroup_v1=v1, readonly=spec.readonly)
    isolated = (*_NAMESPACES, "network") if spec.network == "none" else _NAMESPACES
    launch = {
        **_launch(spec, steps, clone=namespaces.flags("pid"), unshare=namespaces.flags(*isolated)),
        "lo": spec.network == "none",
        "hostname": spec.hostname or ("" if spec.network == "host" else spec.id[:12]),
        "user": spec.user,
        "caps": spec.capabilities(),
        "no_new_privileges": spec.no_new_privileges,
    }
    make = [str(path) for path in (place.upper, place.work, place.root)]
    state = _state(spec, "container", cgroup, [str(place.directory)])
    message = _message(run, state, launch, cgroup, spec.resources)
    return Request(steps, cgroup, {**message, "make": make})


def _host_files() -> tuple[Bind, ...]:
    return tuple(Bind(Path(file), file, readonly=True) for file in _HOST_FILES if Path(file).exists())


def native(spec: NativeSpec, run: Path, hierarchy: Hierarchy) -> Request:
    """Request for a bare process."""
    cgroup = None
    if spec.resources is not None:
        cgroup = Cgroup.plan(hierarchy, f"{key(run)}-{spec.id}", spec.resources)
    steps = plan.native(spec.root, spec.mounts)
    launch = _launch(spec, steps, clone=0, unshare=namespaces.flags("mount") if spec.mounts else 0)
    message = _message(run, _state(spec, "native", cgroup, []), launch, cgroup, spec.resources)
    return Request(steps, cgroup, message)


def _launch(
    spec: ContainerSpec | NativeSpec, steps: list[Step], *, clone: int, unshare: int
) -> dict[str, Any]:
    return {
        "clone": clone, "unshare": unshare, "lo": False, "hostname": "",
        "mounts": [step.wire() for step in steps],
        "user": None, "caps": None, "no_new_privileges": False, "cwd": spec.cwd, "args": list(spec.args),
        "env": environment(spec.env),
    }  # fmt: skip


def _state(
    spec: ContainerSpec | NativeSpec, kind: str, cgroup: Cgroup | None, held: list[str]
) -> dict[str, Any]:
    return {
        "id": spec.id, "kind": kind, "args": list(spec.args), "labels": spec.labels, "directories": held,
        "created": time.time(),
        "cgroups": [str(path) for path in cgroup.paths] if cgroup else [],
        "parents": [str(path) for path in cgroup.parents] if cgroup else [],
    }  # fmt: skip


def _message(
    run: Path,
    state: dict[str, Any],
    launch: dict[str, Any],
    cgroup: Cgroup | None,
    resources: Resources | None,
) -> dict[str, Any]:
    groups: dict[str, Any] = {"steps": [], "joined": [], "born_in": None}
    if cgroup:
        born_in = cgroup.born_in
        groups = {
            "steps": cgroup.steps(resources or Resources()),
            "joined": [str(path) for path in cgroup.joined],
            "born_in": str(born_in) if born_in else None,
        }
    where = run / "containers" / state["id"]
    if len(str(where)) > 3000:  # noqa: PLR2004
        raise RuntimeFault(
            f"the path of {state['id']} is too long", kind="usage", hint="use a shorter --root"
        )
    return {"op": "start", "run": str(where), "state": state, "make": [], "cgroup": groups, "launch": launch}
