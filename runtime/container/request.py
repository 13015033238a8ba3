"""Turn a specification into a request to the spawner; what was asked for under another id is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.container import kind
from runtime.container.spec import ContainerSpec
from runtime.process import ground

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.cgroups.hierarchy import Hierarchy
    from runtime.container.kind import Kind
    from runtime.container.spec import NativeSpec
    from runtime.rootfs.steps import Step

_MOST = 8  # kinds that are remembered


class Request:
    """The message for the spawner, the kind that it is of, and the cgroup that it will make."""

    def __init__(self, of: Kind, name: str) -> None:
        self.kind = of
        self.message, self.cgroup = of.message(name)

    @property
    def steps(self) -> list[Step]:
        """All steps in order, as the spawner counts them."""
        return [step for sequence in self.kind.sequences for step in sequence.steps]

    @property
    def launch(self) -> dict[str, Any]:
        """What the process is, for all of its kind."""
        return self.kind.launch

    @property
    def ground(self) -> tuple[list[str], list[list[str]], list[str]]:
        """Directories, steps of `cgroups.tree`, and v1 cgroups to join: all that comes before the root."""
        return ground.Ground(self.kind.ground).of(self.message["names"])


class Requests:
    """Those to one spawner, whose roots for records and for writable layers are `run` and `data`.

    Several threads may ask.
    """

    def __init__(self, run: Path, data: Path, hierarchy: Hierarchy) -> None:
        self._run, self._data, self._hierarchy = run, data, hierarchy
        self._known: tuple[tuple[dict[str, Any], Kind], ...] = ()

    def of(self, spec: ContainerSpec | NativeSpec) -> Request:
        """Request for what `spec` says; a limit that this host can't enforce is a fault."""
        asked = {**vars(spec), "id": ""}
        for fields, known in self._known:
            if fields == asked:
                return Request(known, spec.id)
        found = self._decided(spec)
        if _lasting(spec):
            # Labels alone can be changed by whoever gave them.
            self._known = (({**asked, "labels": dict(spec.labels)}, found), *self._known[: _MOST - 1])
        return Request(found, spec.id)

    def _decided(self, spec: ContainerSpec | NativeSpec) -> Kind:
        if isinstance(spec, ContainerSpec):
            return kind.container(spec, self._run, self._data, self._hierarchy)
        return kind.native(spec, self._run, self._hierarchy)


def _lasting(spec: ContainerSpec | NativeSpec) -> bool:
    """Whether the kind follows from the specification alone, not from the working directory or the host."""
    paths = [mount.source for mount in spec.mounts if hasattr(mount, "source")]
    if isinstance(spec, ContainerSpec):
        return spec.network == "none" and all(path.is_absolute() for path in (*paths, *spec.layers))
    roots = [spec.root] if spec.root else []
    return not spec.everywhere and all(path.is_absolute() for path in (*paths, *roots))


def container(spec: ContainerSpec, run: Path, data: Path, hierarchy: Hierarchy) -> Request:
    """Request for one container."""
    return Request(kind.container(spec, run, data, hierarchy), spec.id)


def native(spec: NativeSpec, run: Path, hierarchy: Hierarchy) -> Request:
    """Request for one bare process."""
    return Request(kind.native(spec, run, hierarchy), spec.id)
