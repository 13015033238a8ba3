"""The id mappings of a new user namespace, written from outside (user_namespaces(7))."""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

import os

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.spaces import Spaces

_KEYS = ("containerID", "hostID", "size")
# Which namespace a file system shows:
_SHOWN = {"sysfs": "network", "proc": "pid", "mqueue": "ipc"}


def check(config: dict[str, Any], spaces: Spaces, *, rootless: bool) -> None:
    """Refuse by its field what the maps have no number for; and a config.json without maps, without root."""
    if rootless and not spaces.own("user"):
        hint = "add one of type user, with linux.uidMappings, as tare-oci spec --rootless does"
        text = "linux.namespaces: without root a container needs a user namespace"
        raise RuntimeFault(text, kind="usage", hint=hint)
    if spaces.own("user"):
        _owned_mounts(config, spaces)
    if "user" in spaces.new:
        _users(config, rootless=rootless)
        _mount_options(config)


def _owned_mounts(config: dict[str, Any], spaces: Spaces) -> None:
    """Refuse what shows a namespace that is not the container's: only its owner may mount it."""
    for index, mount in enumerate(config.get("mounts") or ()):
        kind, options = _SHOWN.get(mount.get("type") or ""), mount.get("options") or ()
        if kind and not spaces.own(kind) and not {"bind", "rbind"} & set(options):
            text = f"mounts[{index}].type: in a user namespace, {mount['type']} needs a {kind} namespace too"
            hint = f"add one of type {kind}, or bind the host's {mount['destination']}"
            raise RuntimeFault(text, kind="usage", hint=hint)


def _users(config: dict[str, Any], *, rootless: bool) -> None:
    user = config["process"].get("user") or {}
    _mapped(config, "uid", user.get("uid", 0), "process.user.uid")
    _mapped(config, "gid", user.get("gid", 0), "process.user.gid")
    groups = user.get("additionalGids") or ()
    for index, group in enumerate(groups):
        _mapped(config, "gid", group, f"process.user.additionalGids[{index}]")
    if groups and rootless and _single(_entries(config, "gid"), "gid"):
        hint = "leave it out, or map a range of /etc/subgid with newgidmap (package uidmap)"
        text = "process.user.additionalGids: who maps but his own group may not set any"
        raise RuntimeFault(text, kind="host", hint=hint)


def _mount_options(config: dict[str, Any]) -> None:
    for index, mount in enumerate(config.get("mounts") or ()):
        for option in mount.get("options") or ():
            name, _, value = option.partition("=")
            if name in {"uid", "gid"} and value.isdigit():
                _mapped(config, name, int(value), f"mounts[{index}].options: {name}")


def _mapped(config: dict[str, Any], kind: str, number: int, where: str) -> None:
    entries = _entries(config, kind)
    if not any(first <= number < first + size for first, _, size in entries):
        hint = "map it, or leave it out"
        raise RuntimeFault(f"{where} {number} is not in linux.{kind}Mappings", kind="usage", hint=hint)


def _entries(config: dict[str, Any], kind: str) -> list[list[int]]:
    return [[entry.get(key, 0) for key in _KEYS] for entry in config["linux"][f"{kind}Mappings"]]


def _single(entries: list[list[int]], kind: str) -> bool:
    """Whether this is the one map that a user may write without help: his own id, and no other."""
    return len(entries) == 1 and entries[0][1:] == [_own(kind), 1]


def write(pid: int, config: dict[str, Any]) -> None:
    """Write linux.uidMappings and gidMappings of the process; newuidmap does it where we may not."""
    for kind in ("uid", "gid"):
        entries = _entries(config, kind)
        if os.geteuid() == 0:
            _write(f"/proc/{pid}/{kind}_map", entries)
        elif _single(entries, kind):
            if kind == "gid":
                _put(f"/proc/{pid}/setgroups", "deny")
            _write(f"/proc/{pid}/{kind}_map", entries)
        else:
            _helper(pid, kind, entries)


def _own(kind: str) -> int:
    return os.geteuid() if kind == "uid" else os.getegid()


def _write(path: str, entries: list[list[int]]) -> None:
    _put(path, "".join(" ".join(map(str, entry)) + "\n" for entry in entries))


def _put(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as err:
        field = f"linux.{path.rpartition('/')[2][:3]}Mappings"
        raise RuntimeFault.from_os(err, f"write {field} to {path}") from err


def _helper(pid: int, kind: str, entries: list[list[int]]) -> None:
    import subprocess  # noqa: PLC0415 - only without root

    words = [str(number) for entry in entries for number in entry]
    program = f"new{kind}map"
    try:
        done = subprocess.run([program, str(pid), *words], capture_output=True, text=True, check=False)
    except OSError as err:
        hint = f"install {program} (package uidmap), or map one id: your own"
        raise RuntimeFault(f"linux.{kind}Mappings: {program} is missing", kind="host", hint=hint) from err
    if done.returncode:
        hint = f"see /etc/sub{kind} and subuid(5)"
        text = f"linux.{kind}Mappings: {program} refused: {done.stderr.strip()}"
        raise RuntimeFault(text, kind="host", hint=hint)
