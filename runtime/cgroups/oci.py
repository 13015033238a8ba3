"""The cgroup of an OCI container: linux.cgroupsPath and linux.resources as directories and steps.

`plan` decides, `cgroups.tree.make` acts (or `make` here, which reports in words), and `wire` and `Group.read`
carry the group over the container's record to later verbs. Nothing here writes to a cgroup but `make`.
"""

from __future__ import annotations

import errno
import sys

from runtime.cgroups import tree
from runtime.cgroups.fields import Fields
from runtime.cgroups.location import ASIDE, locate
from runtime.cgroups.mounts import v2_name
from runtime.cgroups.room import Room, Spot
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroups.location import Location
    from runtime.cgroups.mounts import Mounts
    from runtime.cgroups.room import Step

WHERE = "linux.resources"
# Objects of linux.resources and the modules that plan them, in the order in which they are set.
_OBJECTS = {
    "cpu": "cpu",
    "memory": "memory",
    "pids": "pids",
    "blockIO": "blockio",
    "network": "network",
    "rdma": "rdma",
}
# v1 trees that every container has: those that stop it, count what it uses, or are wanted in an update. The
# others only serve a limit.
_ALWAYS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")


class Group:
    """`spots` by controller, v2's own directory among them as "unified"; `parents` are removed when empty.

    `warnings` are lines about settings that were left out because the specification or the lack of root
    allows it.
    """

    __slots__ = ("_steps", "parents", "spots", "warnings")

    def __init__(
        self, spots: dict[str, Spot], parents: list[str], steps: list[Step], warnings: list[str]
    ) -> None:
        self.spots, self.parents, self.warnings, self._steps = spots, parents, warnings, steps

    @classmethod
    def read(cls, wire: dict[str, Any]) -> Group:
        """Group of an existing container from what `wire` gave."""
        return cls({name: Spot(*spot) for name, spot in wire["spots"].items()}, wire["parents"], [], [])

    def wire(self) -> dict[str, Any]:
        """Return it as JSON takes it, for the record."""
        spots = {name: [spot.version, spot.directory] for name, spot in self.spots.items()}
        return {"spots": spots, "parents": self.parents}

    @property
    def paths(self) -> list[str]:
        """Every directory, each once: controllers may share a tree."""
        return list(dict.fromkeys(spot.directory for spot in self.spots.values()))

    @property
    def born_in(self) -> str | None:
        """The v2 directory, into which clone3 can put the process from its first moment."""
        return next((spot.directory for spot in self.spots.values() if spot.version != 1), None)

    @property
    def joined(self) -> list[str]:
        """The v1 directories, into which a process has to be moved."""
        return [path for path in self.paths if path != self.born_in]

    def path(self, controller: str) -> str | None:
        """Directory of `controller` (v1's names: blkio is v2's io), or None where there is none."""
        spot = self.spots.get(controller)
        return spot.directory if spot else None

    def steps(self) -> list[Step]:
        """Return what `cgroups.tree.make` has to do, in order; none for a group that was read."""
        return self._steps


def plan(
    mounts: Mounts, path: str | None, name: str, resources: dict[str, Any] | None, *, rootless: bool = False,
    owner: int | None = None,
) -> Group:  # fmt: skip
    """Return the group of container `name`: `path` is linux.cgroupsPath, `resources` linux.resources.

    `owner` is the host's uid that gets the v2 directory (see `owner`). A field that can't be honoured is a
    RuntimeFault which names it: usage when it is wrong, host when this machine lacks what it needs. Without
    root and without a delegated cgroup the group is empty, and only limits are refused.
    """
    place = locate(mounts, path, name, rootless=rootless)
    if place.lacking and path:
        raise RuntimeFault(
            f"linux.cgroupsPath {path!r} can't be used {place.lacking}", kind="host", hint="leave it out"
        )
    room = Room(_spots(mounts, place, rootless=rootless), place.lacking, rootless=rootless)
    limits = limit_steps(resources, room)
    if not (resources or {}).get("devices"):  # a new container has to be kept from them all the same
        limits += _module("runtime.cgroups.devices").plan([], room)
    kept = _kept(room)
    _refuse_occupied(kept)
    parents = _parents(mounts, place, kept)
    steps = _frame(place, kept, parents, room.used)
    if owner is not None and "unified" in kept:
        limits.append(("own", kept["unified"].directory, str(owner)))
    return Group(kept, [parent for parent in parents if _ours(parent, place)], steps + limits, room.warnings)


def _refuse_occupied(spots: dict[str, Spot]) -> None:
    """Done before anything is on record, so that no failed start ever cleans up what is another's."""
    for directory in dict.fromkeys(spot.directory for spot in spots.values()):
        reason = tree.occupied(directory)
        if reason:
            hint = "delete the container that has it, or choose another linux.cgroupsPath"
            raise RuntimeFault(f"cgroup {directory} {reason}", kind="usage", hint=hint)


def _kept(room: Room) -> dict[str, Spot]:
    """Leave out trees that serve nothing, such as a hybrid host's v2 tree when no limit is on it."""
    wanted = {name for name in room.spots if name in _ALWAYS or name in room.used}
    if room.rootless or any(room.spots[name].version != 1 for name in wanted):
        wanted |= {name for name, spot in room.spots.items() if spot.version != 1}
    return {name: spot for name, spot in room.spots.items() if name in wanted}


def update(group: Group, resources: dict[str, Any]) -> list[Step]:
    """Return the steps that change the limits of a running container, in an order that the kernel accepts."""
    lacking = "" if group.spots else "this container has no cgroup of its own"
    room = Room(group.spots, lacking)
    limits = limit_steps(resources, room)
    return _enabling(group, room.used) + limits


def limit_steps(resources: dict[str, Any] | None, room: Room) -> list[Step]:
    """Return the steps for the fields of linux.resources, in `room`."""
    found: list[Step] = []
    asked = Fields(WHERE, resources or {}, room.warnings)
    for name, module in _OBJECTS.items():
        inner = asked.inner(name)
        if inner is not None:
            found += _module(f"runtime.cgroups.resources.{module}").plan(inner, room)
    for name, module in (("hugepageLimits", "resources.hugepages"), ("devices", "devices")):
        entries = asked.each(name)
        if entries:
            found += _module(f"runtime.cgroups.{module}").plan(entries, room)
    unified = asked.raw("unified")
    if unified:
        found += _module("runtime.cgroups.resources.unified").plan(f"{WHERE}.unified", unified, room)
    asked.done()
    return found


def _module(name: str) -> Any:  # noqa: ANN401 - importlib's import_module, without its import
    __import__(name)
    return sys.modules[name]


def make(steps: list[Step]) -> None:
    """Carry out the steps; a RuntimeFault says which value the kernel refused, and why if that is known."""
    try:
        tree.make(steps)
    except OSError as err:
        raise fault(err) from err


def fault(err: OSError) -> RuntimeFault:
    """Translate the OSError of a step."""
    name, value = str(err.filename or ""), err.filename2
    if value is None:
        return RuntimeFault.from_os(err, f"use cgroup {name}")
    if err.errno == errno.ENOENT:
        return RuntimeFault(
            f"this kernel has no {name}, to hold {value!r}", kind="host", hint="leave the limit out"
        )
    if err.errno == errno.EOPNOTSUPP:
        return RuntimeFault(
            f"this kernel does not take {value!r} in {name}", kind="host", hint="leave the limit out"
        )
    if err.errno in {errno.EINVAL, errno.ERANGE, errno.ENODEV, errno.EBUSY, errno.ENOSPC}:
        return RuntimeFault(
            f"the kernel refuses {value!r} in {name}: {err.strerror}", kind="usage", hint=_WHY
        )
    return RuntimeFault.from_os(err, f"write {value!r} to {name}")


def owner(config: dict[str, Any]) -> int | None:
    """Return the container's uid that should own its v2 cgroup, or None.

    That is process.user.uid, where a new cgroup namespace and a writable cgroup mount are asked for
    (config-linux.md, "Cgroup ownership"). It is the container's number; the caller maps it.
    """
    namespaces = config.get("linux", {}).get("namespaces", [])
    if not any(entry.get("type") == "cgroup" and not entry.get("path") for entry in namespaces):
        return None
    for mount in config.get("mounts", []):
        if mount.get("source") == "cgroup" and mount.get("destination") == "/sys/fs/cgroup":
            return None if "ro" in mount.get("options", []) else config["process"]["user"]["uid"]
    return None


_WHY = "it may be more than the parent cgroup has, less than is in use, or in conflict with another limit"


def _spots(mounts: Mounts, place: Location, *, rootless: bool) -> dict[str, Spot]:
    found: dict[str, Spot] = {}
    leaf = f"{place.base}/{place.relative}" if place.base else ""
    handed = _handed(place.base) if rootless and place.base else None
    for name, (version, mount) in mounts.trees.items():
        if version == 1 and not rootless:
            found[name] = Spot(1, f"{mount}/{place.relative}")
        elif version != 1 and leaf and (handed is None or not v2_name(name) or v2_name(name) in handed):
            found[name] = Spot(2, leaf)
    if leaf and rootless:  # every v2 cgroup can be frozen, whoever has the controllers
        found["freezer"] = Spot(2, leaf)
    if leaf:
        found["unified"] = Spot(2, leaf)
    return found


def _handed(base: str) -> list[str]:
    return Spot(2, base).read("cgroup.controllers").split()


def _parents(mounts: Mounts, place: Location, spots: dict[str, Spot]) -> list[str]:
    """Directories above the container's own, below each tree's root, the highest first."""
    roots = {mount for version, mount in mounts.trees.values() if version == 1} | {place.base or ""}
    found: dict[str, None] = {}
    for directory in dict.fromkeys(spot.directory for spot in spots.values()):
        above = directory.rpartition("/")[0]
        chain = []
        while above and above not in roots:
            chain.append(above)
            above = above.rpartition("/")[0]
        found.update(dict.fromkeys(reversed(chain)))
    return list(found)


def _ours(parent: str, place: Location) -> bool:
    """Whether to remove it once it is empty: the one of all our containers, or one that is made for this."""
    return place.shared(parent) or not tree.exists(parent)


def _frame(place: Location, spots: dict[str, Spot], parents: list[str], used: list[str]) -> list[Step]:
    leaves = list(dict.fromkeys(spot.directory for spot in spots.values()))
    found: list[Step] = []
    cpuset = spots.get("cpuset")
    inheriting = cpuset.directory if cpuset and cpuset.version == 1 else ""
    if "unified" in spots and place.base:
        found += _enable(place.base, spots, used, base=True)
    for directory in [*parents, *leaves]:
        found.append(("mkdir", directory))
        if inheriting == directory or inheriting.startswith(f"{directory}/"):
            found.append(("inherit", directory))
        if "unified" in spots and spots["unified"].directory.startswith(f"{directory}/"):
            found += _enable(directory, spots, used)
    return found


def _enable(directory: str, spots: dict[str, Spot], used: list[str], *, base: bool = False) -> list[Step]:
    """Hand controllers down: one works in a v2 directory only if every ancestor does so."""
    names = [
        name for name, spot in spots.items() if spot.version != 1 and name != "unified" and v2_name(name)
    ]
    needed = " ".join(f"+{v2_name(name)}" for name in names if name in used)
    others = " ".join(f"+{v2_name(name)}" for name in names if name not in used)
    found: list[Step] = []
    if needed and base:
        found.append(("settle", directory, needed, f"{directory}/{ASIDE}"))
    elif needed:
        found.append(("enable", directory, needed))
    return found + ([("offer", directory, others)] if others else [])


def _enabling(group: Group, used: list[str]) -> list[Step]:
    unified = group.spots.get("unified")
    above = [parent for parent in group.parents if unified and unified.directory.startswith(f"{parent}/")]
    needed = {name: spot for name, spot in group.spots.items() if name in used}
    return [step for parent in above for step in _enable(parent, needed, used)]
