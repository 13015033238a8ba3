"""The id mappings of a new user namespace, written from outside (user_namespaces(7))."""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

import os

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def write(pid: int, config: dict[str, Any]) -> None:
    """Write linux.uidMappings and gidMappings of the process; newuidmap does it where we may not."""
    linux = config["linux"]
    for kind, name in (("uid", "uidMappings"), ("gid", "gidMappings")):
        entries = [[entry["containerID"], entry["hostID"], entry["size"]] for entry in linux[name]]
        if os.geteuid() == 0:
            _write(f"/proc/{pid}/{kind}_map", entries)
        elif len(entries) == 1 and entries[0][1:] == [_own(kind), 1]:
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
        raise RuntimeFault.from_os(err, f"write {path}") from err


def _helper(pid: int, kind: str, entries: list[list[int]]) -> None:
    import subprocess  # noqa: PLC0415 - only without root

    words = [str(number) for entry in entries for number in entry]
    program = f"new{kind}map"
    try:
        done = subprocess.run([program, str(pid), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError as err:
        hint = f"install {program} (package uidmap), or map one id: your own"
        raise RuntimeFault(f"{program} is missing", kind="host", hint=hint) from err
    if done.returncode:
        hint = f"see /etc/sub{kind} and subuid(5)"
        raise RuntimeFault(f"{program} refused: {done.stderr.strip()}", kind="host", hint=hint)
