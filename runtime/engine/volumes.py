"""`-v SRC:DST[:ro]`, `--mount KEY=VALUE,…` and the volumes that an image declares, as docker's Mounts."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from runtime.engine.places import Places
    from runtime.engine.wanted import Wanted
    from runtime.image.image import Image

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_SYNONYMS = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_KEYS = {"type", "source", "target", "readonly"}
_TRUTH = {"": True, "true": True, "1": True, "false": False, "0": False}


def volumes(places: Places, wanted: Wanted, image: Image) -> list[dict[str, Any]]:
    """Return docker's Mounts; a volume that is named, or has no name, and is not there yet is created."""
    found = [_short(places, text) for text in wanted.volumes]
    found += [_long(places, text) for text in wanted.mount]
    taken = {volume["Destination"] for volume in found}
    return found + [_volume(places, "", path) for path in image.config.volumes if path not in taken]


def tmpfs(text: str) -> tuple[str, str]:
    """Parse PATH[:OPTIONS] of --tmpfs."""
    path, _, options = text.partition(":")
    if not path.startswith("/"):
        raise RuntimeFault(f"--tmpfs {path} is not absolute", kind="usage", hint="for example /run:size=16m")
    return path, options


def _short(places: Places, text: str) -> dict[str, Any]:
    parts = text.split(":")
    if len(parts) > 3 or (parts[2:] and parts[2] not in {"ro", "rw"}):  # noqa: PLR2004 - source, target, mode
        raise RuntimeFault(
            f"volume {text!r} is not SRC:DST[:ro]", kind="usage", hint="for example /srv/data:/data:ro"
        )
    if len(parts) == 1:
        return _volume(places, "", parts[0])
    readonly = parts[2:] == ["ro"]
    if _NAME.fullmatch(parts[0]):
        return _volume(places, parts[0], parts[1], readonly=readonly)
    return _bind(parts[0], parts[1], readonly=readonly)


def _long(places: Places, text: str) -> dict[str, Any]:
    given = {}
    for field in text.split(","):
        key, _, value = field.partition("=")
        given[_SYNONYMS.get(key, key)] = value
    unknown = sorted(set(given) - _KEYS)
    kind, target = given.get("type", "volume"), given.get("target", "")
    if unknown or kind not in {"bind", "volume"} or given.get("readonly", "") not in _TRUTH:
        word = unknown[0] if unknown else f"type={kind}"
        hint = "type=bind or volume, source, target, readonly; a tmpfs is --tmpfs"
        raise RuntimeFault(f"--mount {text}: {word} is not supported", kind="usage", hint=hint)
    readonly = "readonly" in given and _TRUTH[given["readonly"]]
    if kind == "bind":
        return _bind(given.get("source", ""), target, readonly=readonly)
    return _volume(places, given.get("source", ""), target, readonly=readonly)


def _volume(places: Places, name: str, target: str, *, readonly: bool = False) -> dict[str, Any]:
    _absolute(target)
    if name and not _NAME.fullmatch(name):
        raise RuntimeFault(f"{name} is no name for a volume", kind="usage", hint="use letters and digits")
    called = name or secrets.token_hex(32)
    path = Path(places.volume(called))
    path.mkdir(parents=True, exist_ok=True)
    return {"Type": "volume", "Name": called, "Source": str(path), "Destination": target,
            "Driver": "local", "Mode": "ro" if readonly else "", "RW": not readonly,
            "Anonymous": not name}  # fmt: skip


def _bind(source: str, target: str, *, readonly: bool) -> dict[str, Any]:
    _absolute(target)
    path = Path(source).absolute()
    if not source or not path.exists():
        hint = "create it first; nothing is created on the host by itself"
        raise RuntimeFault(f"mount source {path} does not exist", kind="usage", hint=hint)
    return {"Type": "bind", "Source": str(path), "Destination": target, "Mode": "ro" if readonly else "",
            "RW": not readonly, "Propagation": "rprivate"}  # fmt: skip


def _absolute(target: str) -> None:
    if not target.startswith("/"):
        raise RuntimeFault(f"mount target {target!r} is not absolute", kind="usage", hint="for example /data")
