"""What a build made, in a form that two builders can be compared in: the tree, and the configuration."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

FIELDS = (
    *("Env", "Cmd", "Entrypoint", "User", "WorkingDir", "Volumes", "Labels", "ExposedPorts", "OnBuild"),
    *("StopSignal", "Healthcheck", "Shell"),
)
Entry = dict[str, object]


def tree(root: Path, *, since: float) -> dict[str, Entry]:
    """Return each path with type, mode, owner, link target, content, extended attributes and device number.

    Times from `since` on (seconds since 1970) are the build's own, and left out; so are those of directories,
    which change with what is put into them.
    """
    found: dict[str, Entry] = {}
    first: dict[tuple[int, int], str] = {}
    for directory, names, files in os.walk(root):
        for name in sorted([*names, *files]):
            path = Path(directory) / name
            text = str(path.relative_to(root))
            entry = _entry(path, since)
            status = path.lstat()
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                entry["linked"] = first.setdefault((status.st_dev, status.st_ino), text)
            found[text] = entry
    return found


def _entry(path: Path, since: float) -> Entry:
    status = path.lstat()
    kind = stat.S_IFMT(status.st_mode)
    entry: Entry = {"mode": stat.filemode(status.st_mode), "owner": f"{status.st_uid}:{status.st_gid}"}
    if stat.S_ISLNK(kind):
        entry["target"] = str(path.readlink())
    if stat.S_ISREG(kind):
        entry["content"] = hashlib.sha256(path.read_bytes()).hexdigest()
    if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
        entry["device"] = status.st_rdev
    if not stat.S_ISDIR(kind) and status.st_mtime < since:
        entry["time"] = int(status.st_mtime)
    for name in os.listxattr(path, follow_symlinks=False):
        if not name.startswith("trusted.overlay."):
            entry[name] = os.getxattr(path, name, follow_symlinks=False).hex()
    return entry


def config(document: dict[str, Any]) -> dict[str, object]:
    """Return what an image's configuration says; what is empty is not there."""
    inner = document.get("config") or {}
    found = {name: inner.get(name) for name in FIELDS}
    found["Env"] = dict(item.partition("=")[::2] for item in found["Env"] or ())
    found["Labels"] = {
        name: value for name, value in (found["Labels"] or {}).items() if name != "io.buildah.version"
    }
    found["author"] = document.get("author")
    found["platform"] = f"{document['os']}/{document['architecture']}"
    return {name: value for name, value in found.items() if value}


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Say what is not the same, a line each: a path or field, what we have, what they have."""
    lines = []
    for name in sorted({*ours, *theirs}):
        mine, other = ours.get(name), theirs.get(name)
        if mine == other:
            continue
        if isinstance(mine, dict) and isinstance(other, dict):
            keys = sorted(key for key in {*mine, *other} if mine.get(key) != other.get(key))
            lines += [f"{name}: {key}: {mine.get(key)!r}, not {other.get(key)!r}" for key in keys]
        else:
            lines.append(f"{name}: {_brief(mine)}, not {_brief(other)}")
    return lines


def _brief(value: object) -> str:
    return "nothing" if value is None else str(value)
