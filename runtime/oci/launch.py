"""What the child has to do, decided by the parent: plain values made from a checked config.json."""

# pathlib stays out of the start path:
# ruff: noqa: PTH100, PTH112, PTH118

from __future__ import annotations

import os

from runtime.errors import RuntimeFault
from runtime.linux import capabilities
from runtime.oci import spaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.config import Config
    from runtime.oci.spaces import Spaces

_CAP_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")
_EARLY = ("ipc", "uts", "network", "mount")


def container(config: Config, where: Spaces) -> dict[str, Any]:
    """Return the part of a launch that makes the container; the root file system's steps come separately."""
    return {
        "unshare": where.flags(*_EARLY),
        "unshare_late": where.flags("cgroup"),
        "mapped": where.own("user"),
        "lo": "network" in where.new,
        "hostname": config.get("hostname") or "",
        "domainname": config.get("domainname") or "",
        "hide": bool(where.joined),
        "steps": [],
    }


def inside() -> dict[str, Any]:
    """Return the same for a process that enters a container that is there."""
    return {"unshare": 0, "unshare_late": 0, "mapped": False, "lo": False, "hostname": "", "domainname": "",
            "hide": True, "steps": [], "await_hooks": False, "fifo": None}  # fmt: skip


def program(process: Config) -> dict[str, Any]:
    """Return the part of a launch that is about the process (config.md, Process)."""
    user = process.get("user") or {}
    umask = user.get("umask")
    return {
        "args": process["args"],
        "env": _environment(process.get("env") or []),
        "cwd": process["cwd"],
        "uid": user.get("uid", 0),
        "gid": user.get("gid", 0),
        "groups": user.get("additionalGids") or [],
        "umask": 0o022 if umask is None else umask,
        "caps": _capabilities(process.get("capabilities")),
        "no_new_privileges": bool(process.get("noNewPrivileges")),
    }


def _environment(items: list[str]) -> list[str]:
    for item in items:
        if "=" not in item:
            raise RuntimeFault(f"process.env entry {item!r} is not KEY=VALUE", kind="usage")
    return items


def _capabilities(sets: Config | None) -> dict[str, int] | None:
    if sets is None:
        return dict.fromkeys(_CAP_SETS, 0)
    supported = (1 << capabilities.last() + 1) - 1
    try:
        return {name: capabilities.mask(tuple(sets.get(name) or ())) & supported for name in _CAP_SETS}
    except KeyError as err:
        raise RuntimeFault(f"process.capabilities: there is no {err.args[0]}", kind="usage") from err


def root_of(config: Config, bundle: str) -> str:
    """Return the absolute path of the container's root; a usage fault when it is no directory."""
    path = os.path.join(os.path.abspath(bundle), config["root"]["path"])
    if not os.path.isdir(path):
        raise RuntimeFault(f"root.path {path} is no directory", kind="usage", hint="put the image there")
    return os.path.realpath(path)


def joining(fds: dict[str, int]) -> list[list[int]]:
    """Return what the child enters itself: all but the pid namespace, which takes effect at its birth."""
    return [[fd, spaces.FLAGS[kind]] for kind, fd in fds.items() if kind != "pid"]
