"""The mounts of a container: the kernel's file systems, its own /etc files, its volumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.engine import reaper

if TYPE_CHECKING:
    from runtime.engine.rights import Rights

_QUIET = ["nosuid", "noexec", "nodev"]
_PTS = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")


def mounts(plan: dict[str, Any], rights: Rights) -> list[dict[str, Any]]:
    """Return `mounts` of a config.json, in the order in which they are made."""
    found = _kernel(plan["HostConfig"], rights) + _own(plan)
    found += [_bound(one["Source"], one["Destination"], readonly=not one["RW"]) for one in plan["Mounts"]]
    if plan["HostConfig"]["Init"]:
        found.append(_bound(f"{Path(plan['LogPath']).parent}/init", reaper.PATH, readonly=True))
    for path, options in plan["HostConfig"]["Tmpfs"].items():
        found.append(_fresh(path, "tmpfs", "nosuid", "nodev", *filter(None, options.split(","))))
    return found


def _kernel(host: dict[str, Any], rights: Rights) -> list[dict[str, Any]]:
    sealed = [] if host["Privileged"] else ["ro"]
    sys = _fresh("/sys", "sysfs", *_QUIET, *sealed)
    if not rights.root and host["NetworkMode"] == "host":  # sysfs belongs to the network namespace's owner
        sys = {**_fresh("/sys", "none", "rbind", *_QUIET, "ro"), "source": "/sys"}
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": _QUIET},
        _fresh("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _fresh("/dev/pts", "devpts", *_PTS, *(["gid=5"] if rights.many else [])),
        _fresh("/dev/shm", "tmpfs", *_QUIET, "mode=1777", f"size={host['ShmSize']}"),  # noqa: S108 - a mount point
        _fresh("/dev/mqueue", "mqueue", *_QUIET),
        sys,
        _fresh("/sys/fs/cgroup", "cgroup", *_QUIET, "relatime", *sealed),
    ]


def _own(plan: dict[str, Any]) -> list[dict[str, Any]]:
    host = plan["HostConfig"]["NetworkMode"] == "host"
    own = {"/etc/hosts": "HostsPath", "/etc/resolv.conf": "ResolvConfPath", "/etc/hostname": "HostnamePath"}
    if not host:
        return [_bound(plan[name], target, readonly=False) for target, name in own.items()]
    shared = [target for target in own if target != "/etc/hostname" and Path(target).exists()]
    return [_bound(target, target, readonly=True) for target in shared]


def _fresh(target: str, kind: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": kind, "options": list(options)}


def _bound(source: str, target: str, *, readonly: bool) -> dict[str, Any]:
    options = ["rbind", "rprivate", *(["ro"] if readonly else [])]
    return {"destination": target, "type": "bind", "source": source, "options": options}
