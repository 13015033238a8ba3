"""What the child has to do, decided by the parent: plain values made from a checked config.json."""

# pathlib stays out of the start path:
# ruff: noqa: PTH100, PTH112, PTH118

from __future__ import annotations

import os

from runtime.errors import RuntimeFault
from runtime.linux import capabilities, userns
from runtime.oci import limits, signals, spaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.config import Config
    from runtime.oci.report import Log
    from runtime.oci.spaces import Spaces

_EARLY = ("ipc", "uts", "network", "mount")


def container(config: Config, where: Spaces) -> dict[str, Any]:
    """Return the part of a launch that makes the container; the root file system's steps come separately."""
    linux, hooks = config.get("linux") or {}, config.get("hooks") or {}
    found = {
        "unshare": where.flags(*_EARLY),
        "unshare_late": where.flags("cgroup"),
        "mapped": where.own("user"),
        "lo": "network" in where.new,
        "hostname": config.get("hostname") or "",
        "domainname": config.get("domainname") or "",
        "hide": bool(where.joined),
        "hooks": hooks,
        "await_hooks": bool(hooks.get("prestart") or hooks.get("createRuntime")),
        "sysctl": None,
    }
    if hooks:
        from runtime.oci import hooks as stages  # noqa: PLC0415 - most containers have none

        stages.check(hooks)
        found["run_hooks"] = stages.run
    if linux.get("sysctl"):
        from runtime.oci import sysctl  # noqa: PLC0415

        owned = {kind for kind in spaces.ORDER if where.own(kind)}
        found.update(sysctl=sysctl.plan(linux["sysctl"], owned), write_sysctl=sysctl.write)
    return found


def inside() -> dict[str, Any]:
    """Return the same for a process that enters a container that is there."""
    return {"unshare": 0, "unshare_late": 0, "lo": False, "hostname": "", "domainname": "", "hide": True,
            "steps": [], "await_hooks": False, "fifo": None, "outcome": None, "hooks": {}, "sysctl": None,
            "keyring": "", "state": {}}  # fmt: skip


def program(process: Config, linux: Config, log: Log, *, mapped: bool) -> dict[str, Any]:
    """Return the part of a launch that is about the process (config.md, Process).

    `mapped` tells that it lives in a user namespace of its own, where there are all capabilities to give.
    """
    user = process.get("user") or {}
    last = capabilities.last()
    granted = (1 << last + 1) - 1 if mapped else capabilities.held()
    sets, warnings = capabilities.sets(process.get("capabilities"), granted)
    for warning in warnings:
        log.remark(warning)
    size = process.get("consoleSize")
    found = {
        "args": process["args"],
        "env": _environment(process.get("env") or []),
        "signals": signals.changed(),
        "cwd": process["cwd"],
        "uid": user.get("uid", 0),
        "gid": user.get("gid", 0),
        "groups": user.get("additionalGids") or [],
        "limits": limits.plan(process, linux),
        "caps": sets,
        "last": last,
        "groups_kept": mapped or not userns.privileged(),
        "no_new_privileges": bool(process.get("noNewPrivileges")),
        "terminal": bool(process.get("terminal")),
        "size": (size["height"], size["width"]) if size else None,
        "confinement": _confinement(process.get("apparmorProfile")),
    }
    return {**found, **_filter(linux.get("seccomp"))}


def _filter(profile: Config | None) -> dict[str, Any]:
    if not profile:
        return {"filter": None, "handover": None}
    from runtime.linux import seccomp  # noqa: PLC0415 - it loads libseccomp

    compiled = seccomp.compile(profile)
    handover = seccomp.Handover() if compiled.notifies else None
    return {"filter": compiled, "handover": handover, "load_filter": seccomp.load}


def _confinement(profile: str | None) -> Any:  # noqa: ANN401 - a Confinement or None
    if not profile:
        return None
    from runtime.oci.confinement import Confinement  # noqa: PLC0415 - few hosts have AppArmor

    return Confinement(profile)


def _environment(items: list[str]) -> list[str]:
    for item in items:
        if item.find("=") < 1:
            raise RuntimeFault(f"process.env entry {item!r} is not KEY=VALUE", kind="usage")
    return items


def root_of(config: Config, bundle: str) -> str:
    """Return the absolute path of the container's root; a usage fault when it is no directory."""
    path = os.path.join(os.path.abspath(bundle), config["root"]["path"])
    if not os.path.isdir(path):
        raise RuntimeFault(f"root.path {path} is no directory", kind="usage", hint="put the image there")
    return os.path.realpath(path)


def joining(fds: dict[str, int]) -> list[list[int]]:
    """Return what the child enters itself: all but what takes effect at its birth."""
    return [[fd, spaces.FLAGS[kind]] for kind, fd in fds.items() if kind not in {"pid", "user"}]


def elsewhere(fds: dict[str, int]) -> dict[str, int]:
    """Return the rest: those that a process has to be born in."""
    return {kind: fd for kind, fd in fds.items() if kind in {"pid", "user"}}
