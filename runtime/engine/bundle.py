"""From docker's description of a container to the config.json of an OCI bundle."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.engine import grammar
from runtime.engine.mounted import mounts
from runtime.errors import RuntimeFault
from runtime.linux import capabilities
from runtime.oci import default_seccomp
from runtime.rootfs.plan import MASKED, READONLY

if TYPE_CHECKING:
    from runtime.engine.rights import Rights

_PERIOD = 100_000  # microseconds
_SETS = ("bounding", "effective", "permitted")
_DENY, _ALLOW = ({"allow": answer, "access": "rwm"} for answer in (False, True))
# Below /dev, what a container has of its own, or what is none of its business even if it is privileged.
_OWN = {"pts", "shm", "mqueue", "fd", "console", "tty", "null", "zero", "full", "random", "urandom", "ptmx"}


def bundle(plan: dict[str, Any], run: str, rights: Rights) -> dict[str, Any]:
    """Return a config.json without what only the mounted root can tell; `run` names our root's cgroups."""
    host, config = plan["HostConfig"], plan["Config"]
    kept = _capabilities(host)
    found = {
        "ociVersion": "1.2.0",
        "process": _process(plan, kept),
        "root": {"path": "rootfs", "readonly": host["ReadonlyRootfs"]},
        "mounts": mounts(plan, rights), "linux": _linux(plan, run, kept, rights),
    }  # fmt: skip
    if config["Hostname"]:
        found["hostname"] = config["Hostname"]
    return found


def resources(host: dict[str, Any]) -> dict[str, Any]:
    """Return the limits in linux.resources for docker's HostConfig."""
    found: dict[str, Any] = {}
    if host["Memory"]:
        found["memory"] = {"limit": host["Memory"], "swap": host["MemorySwap"] or host["Memory"]}
    cpu: dict[str, Any] = {}
    if host["NanoCpus"]:
        cpu = {"period": _PERIOD, "quota": host["NanoCpus"] * _PERIOD // 1_000_000_000}
    if host["CpuShares"]:
        cpu["shares"] = host["CpuShares"]
    if host["CpusetCpus"]:
        cpu["cpus"] = host["CpusetCpus"]
    if cpu:
        found["cpu"] = cpu
    if host["PidsLimit"]:
        found["pids"] = {"limit": host["PidsLimit"]}
    return found


def _process(plan: dict[str, Any], kept: list[str]) -> dict[str, Any]:
    host, config = plan["HostConfig"], plan["Config"]
    environment = [*config["Env"], *(["TERM=xterm"] if config["Tty"] else [])]
    if config["Hostname"] and not any(item.startswith("HOSTNAME=") for item in environment):
        environment.append(f"HOSTNAME={config['Hostname']}")
    security = dict(text.partition("=")[::2] for text in host["SecurityOpt"] or ())
    found = {
        "terminal": config["Tty"], "args": [plan["Path"], *plan["Args"]], "env": environment,
        "cwd": config["WorkingDir"],
        "capabilities": {name: list(kept) for name in _SETS},
        "noNewPrivileges": "no-new-privileges" in security,
        "rlimits": [grammar.rlimit(limit) for limit in host["Ulimits"] or ()],
    }  # fmt: skip
    if host["OomScoreAdj"]:
        found["oomScoreAdj"] = host["OomScoreAdj"]
    if security.get("apparmor"):
        found["apparmorProfile"] = security["apparmor"]
    return found


def _linux(plan: dict[str, Any], run: str, kept: list[str], rights: Rights) -> dict[str, Any]:
    host = plan["HostConfig"]
    free = host["Privileged"]
    kinds = ["pid", "ipc", "uts", "mount", "cgroup", *(["network"] if host["NetworkMode"] != "host" else [])]
    found: dict[str, Any] = {
        "namespaces": [{"type": kind} for kind in kinds],
        "maskedPaths": [] if free else list(MASKED), "readonlyPaths": [] if free else list(READONLY),
        "resources": resources(host),
    }  # fmt: skip
    if rights.root:
        found["cgroupsPath"] = f"engine-{run}-{plan['Id'][:20]}"
        found["resources"]["devices"] = _rules(host)
    devices = [_device(one["PathOnHost"], one["PathInContainer"]) for one in host["Devices"] or ()]
    found["devices"] = devices + (_everything() if free and rights.root else [])
    if host["Sysctls"]:
        found["sysctl"] = host["Sysctls"]
    seccomp = _seccomp(host, kept)
    return {**found, "seccomp": seccomp} if seccomp else found


def _seccomp(host: dict[str, Any], kept: list[str]) -> dict[str, Any] | None:
    asked = [text.partition("=")[2] for text in host["SecurityOpt"] or () if text.startswith("seccomp=")]
    if "unconfined" in asked or (host["Privileged"] and not asked):
        return None
    if asked:
        try:
            found: dict[str, Any] = json.loads(Path(asked[-1]).read_text(encoding="utf-8"))
        except ValueError as err:
            raise RuntimeFault(f"seccomp profile {asked[-1]} is no JSON: {err}", kind="usage") from err
        return found
    return default_seccomp.profile(kept)


def _rules(host: dict[str, Any]) -> list[dict[str, Any]]:
    if host["Privileged"]:
        return [_ALLOW]
    found = [_DENY]
    for one in host["Devices"] or ():
        device = _device(one["PathOnHost"], one["PathInContainer"])
        found.append({"allow": True, "type": device["type"], "major": device["major"],
                      "minor": device["minor"], "access": one["CgroupPermissions"]})  # fmt: skip
    return found


def _device(path: str, inside: str) -> dict[str, Any]:
    about = Path(path).stat()
    return {
        "path": inside, "type": "b" if stat.S_ISBLK(about.st_mode) else "c",
        "major": os.major(about.st_rdev), "minor": os.minor(about.st_rdev),
        "fileMode": stat.S_IMODE(about.st_mode), "uid": about.st_uid, "gid": about.st_gid,
    }  # fmt: skip


def _everything() -> list[dict[str, Any]]:
    found = []
    for here, directories, names in os.walk("/dev"):
        if here == "/dev":
            directories[:] = [name for name in directories if name not in _OWN]
        mine = _OWN if here == "/dev" else set()
        paths = [f"{here}/{name}" for name in sorted({*names} - mine)]
        found += [
            _device(path, path) for path in paths if grammar.is_device(path) and not Path(path).is_symlink()
        ]
    return found


def _capabilities(host: dict[str, Any]) -> list[str]:
    most = (1 << capabilities.last() + 1) - 1
    if host["Privileged"]:
        return _named(most)
    try:
        dropped, added = (capabilities.mask(tuple(host[key] or ())) for key in ("CapDrop", "CapAdd"))
    except KeyError as err:
        hint = "names are as in capabilities(7), for example NET_ADMIN, or ALL"
        raise RuntimeFault(f"there is no capability {err.args[0]}", kind="usage", hint=hint) from err
    return _named((capabilities.mask(capabilities.DEFAULT) & ~dropped | added) & most)


def _named(mask: int) -> list[str]:
    return [f"CAP_{name}" for bit, name in enumerate(capabilities.NAMES) if mask >> bit & 1]
