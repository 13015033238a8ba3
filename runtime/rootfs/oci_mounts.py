"""Turn one entry of config.json's `mounts` into steps (config.md, Mounts)."""

# pathlib stays out of the start path:
# ruff: noqa: PTH118

from __future__ import annotations

import os

from runtime.errors import RuntimeFault
from runtime.rootfs import oci_options
from runtime.rootfs.oci_steps import Step
from runtime.rootfs.sources import IdMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.rootfs.oci_options import Options


class CgroupView:
    """What a container may see of its cgroups.

    `v1` maps the name of each directory below /sys/fs/cgroup ("memory", "cpu,cpuacct", "systemd") to the
    host's path of the container's own cgroup in it; empty on a pure v2 host, where `v2` is that path.
    """

    __slots__ = ("v1", "v2")

    def __init__(self, v1: dict[str, str], v2: str = "") -> None:
        self.v1, self.v2 = v1, v2


def steps(
    mount: dict[str, Any], where: str, bundle: str, cgroup: CgroupView | None, *, own_cgroup: bool
) -> list[Step]:
    """Return the steps of one mount; `own_cgroup` says that the container has a cgroup namespace."""
    target = _destination(mount, where)
    options = oci_options.parse(mount.get("options") or [], f"{where}.options")
    _refuse(mount, options, where)
    if options.remount:
        return [_remount(target, options, where)]
    if options.bind or mount.get("type") == "bind":
        return [_bind(mount, target, options, where, bundle)]
    fstype = mount.get("type") or ""
    if not fstype:
        raise RuntimeFault(f"{where}.type: is missing", kind="usage")
    if fstype in {"cgroup", "cgroup2"}:
        return _cgroup(target, options, where, cgroup, own=own_cgroup, fstype=fstype)
    return [_fresh(target, fstype, mount.get("source") or fstype, options, where)]


def _destination(mount: dict[str, Any], where: str) -> str:
    """Return the target; a relative one counts from "/" (config.md, destination)."""
    target = mount.get("destination") or ""
    path = os.path.normpath("/" + target.lstrip("/"))
    if not target or path == "/":
        raise RuntimeFault(f"{where}.destination: {target!r} is no place for a mount", kind="usage")
    # Not normalized: ".." after a link means something else than the text says.
    return target if target.startswith("/") else "/" + target


def _refuse(mount: dict[str, Any], options: Options, where: str) -> None:
    bind = bool(options.bind) or mount.get("type") == "bind"
    mapped = options.idmap or mount.get("uidMappings") or mount.get("gidMappings")
    if mapped and not bind:
        raise RuntimeFault(f"{where}.uidMappings: only a bind mount can be id-mapped", kind="usage")
    if bool(mount.get("uidMappings")) != bool(mount.get("gidMappings")):
        raise RuntimeFault(f"{where}: uidMappings and gidMappings go together", kind="usage")
    if options.copyup and (bind or mount.get("type") != "tmpfs"):
        raise RuntimeFault(f"{where}.options: tmpcopyup needs a tmpfs", kind="usage")
    if bind and not options.remount and (options.data or options.super):
        words = options.data or ["a super block option"]
        raise RuntimeFault(f"{where}.options: {words[0]!r} means nothing on a bind mount", kind="usage")


def _changes(options: Options, *, plain: bool) -> list[tuple[int, int, int, bool]]:
    """Return (set, clear, propagation, recursive) in the order of application."""
    found = []
    if options.rset or options.rclear:
        found.append((options.rset, options.rclear, 0, True))
    if plain and (options.set or options.clear):
        found.append((options.set, options.clear, 0, False))
    return found + [(0, 0, flag, recursive) for flag, recursive in options.propagation]


def _remount(target: str, options: Options, where: str) -> Step:
    return Step("remount", where, target=target, flags=_with_bind(options), data=",".join(options.data))


def _with_bind(options: Options) -> int:
    return options.flags | (4096 if options.bind else 0)


def _bind(mount: dict[str, Any], target: str, options: Options, where: str, bundle: str) -> Step:
    source = mount.get("source") or ""
    if not source:
        raise RuntimeFault(f"{where}.source: is missing", kind="usage")
    path = os.path.join(bundle, source)  # a relative one is relative to the bundle
    changes = _changes(options, plain=True)
    recursive = options.bind == "rbind"
    step = Step("tree", where, target=target, source=path, recursive=recursive, changes=changes, fd=-1)
    if options.idmap or mount.get("uidMappings"):
        step.idmap = IdMap(
            mount.get("uidMappings") or [],
            mount.get("gidMappings") or [],
            recursive=options.idmap == "ridmap",
        )
    return step


def _fresh(target: str, fstype: str, source: str, options: Options, where: str, *, instead: str = "") -> Step:
    # /dev and every tmpfs have to be filled before they turn read-only.
    late = fstype == "tmpfs" and bool(options.set & oci_options.RDONLY)
    set_ = options.set & ~oci_options.RDONLY if late else options.set
    super_ = options.super | (0 if late else options.set & oci_options.RDONLY)
    return Step(
        "fresh", where, target=target, fstype=fstype, source=source, set=set_, super=super_,
        data=list(options.data), changes=_changes(options, plain=False),
        flags=options.flags & ~(oci_options.RDONLY if late else 0), late=late, copy=options.copyup,
        instead=instead,
    )  # fmt: skip


def _cgroup(
    target: str, options: Options, where: str, view: CgroupView | None, *, own: bool, fstype: str
) -> list[Step]:
    """Show the container's cgroups: one tree on v2, a directory a controller on v1.

    With a namespace of its own a container mounts them anew, and sees its own cgroup as the root; without,
    v1 binds its own cgroup, and v2 shows the host's tree, whose paths agree with /proc/self/cgroup (as runc).
    """
    if fstype == "cgroup2" or view is None or not view.v1:
        return [_fresh(target, "cgroup2", "cgroup", options, where, instead=view.v2 if view else "")]
    top = oci_options.Options()
    top.set, top.data = options.set, ["mode=755"]
    found = [_fresh(target, "tmpfs", "tmpfs", top, where)]
    for name, path in view.v1.items():
        place = f"{target.rstrip('/')}/{name}"
        found.append(_controller(place, name, path, options, where, own=own))
        if "," in name:
            for part in name.split(","):
                link = f"{target.rstrip('/')}/{part}"
                found.append(Step("symlink", where, text=name, path=link, replace=False))
    return found


def _controller(place: str, name: str, path: str, options: Options, where: str, *, own: bool) -> Step:
    if not own:
        changes = _changes(options, plain=True)
        return Step("tree", where, target=place, source=path, recursive=False, changes=changes, fd=-1)
    new = oci_options.Options()
    new.set, new.clear, new.propagation = options.set, options.clear, options.propagation
    new.data = [f"name={name}"] if name in {"systemd", "elogind"} else name.split(",")
    return _fresh(place, "cgroup", "cgroup", new, where)
