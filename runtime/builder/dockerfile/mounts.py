"""RUN --mount: `type=bind|cache|secret|ssh|tmpfs` and the options that each type takes."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from runtime.builder.dockerfile import units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_KEYS = {
    "bind": {"target", "source", "from", "readonly", "readwrite"},
    "cache": {
        *("id", "target", "readonly", "readwrite", "sharing"),
        *("from", "source", "mode", "uid", "gid"),
    },
    "tmpfs": {"target", "size"},
    "secret": {"id", "target", "required", "mode", "uid", "gid", "env", "source"},
    "ssh": {"id", "target", "required", "mode", "uid", "gid"},
}
_SWITCHES = frozenset({"readonly", "readwrite", "required"})
_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": True}
_SHARING = ("shared", "private", "locked")
_MODES = {"secret": 0o400, "ssh": 0o600, "cache": 0o755}


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount of a RUN; `size` in bytes (0: the kernel's default), `target` empty if none was given."""

    kind: str
    target: str = ""
    source: str = ""
    origin: str = ""
    id: str = ""
    writable: bool = False
    sharing: str = "shared"
    required: bool = False
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    env: str = ""


def parse(text: str, expand: Callable[[str], str] = str) -> Mount:
    """Read what follows `--mount=`, values through `expand`; a value error says what is wrong."""
    fields = _fields(text, expand)
    kind = fields.pop("type", "bind").lower()
    if kind not in _KEYS:
        raise ValueError(f"unknown mount type {kind}")
    for key in fields:
        if key not in _KEYS[kind]:
            raise ValueError(f"a mount of type {kind} takes no {key}")
    _check(kind, fields)
    return Mount(
        kind, fields.get("target", ""), *_named(kind, fields), writable=_writable(kind, fields),
        sharing=_sharing(fields), required=_TRUTH[fields.get("required", "false").lower()],
        size=units.size(fields.get("size", "0")), mode=_number(fields, "mode", _MODES.get(kind, 0), base=8),
        uid=_number(fields, "uid", 0), gid=_number(fields, "gid", 0), env=fields.get("env", ""),
    )  # fmt: skip


def _fields(text: str, expand: Callable[[str], str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for field in _separated(text):
        key, equals, value = field.partition("=")
        key = _ALIASES.get(key.lower(), key.lower())
        if not equals and key not in _SWITCHES:
            raise ValueError(f"mount option {field!r} is not of the form key=value")
        value = expand(value)
        if key in _SWITCHES and value.lower() not in _TRUTH:
            raise ValueError(f"mount option {key} takes true or false, not {value!r}")
        fields[key] = value
    return fields


def _separated(text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as err:
        raise ValueError(f"the mount is not a list of key=value: {err}") from err


def _check(kind: str, fields: dict[str, str]) -> None:
    if kind not in {"secret", "ssh"} and not fields.get("target"):
        raise ValueError(f"a mount of type {kind} needs a target")
    if kind == "secret" and not (fields.get("id") or fields.get("source") or fields.get("target")):
        raise ValueError("a mount of type secret needs an id or a target")
    if "readonly" in fields and "readwrite" in fields:
        raise ValueError("a mount is readonly or readwrite, not both")


def _named(kind: str, fields: dict[str, str]) -> tuple[str, str, str]:
    """Return source, origin and id; each type has its own default for the id."""
    source, target = fields.get("source", ""), fields.get("target", "")
    default = {"cache": target, "secret": source or target.rpartition("/")[2], "ssh": "default"}
    return source, fields.get("from", ""), fields.get("id") or default.get(kind, "")


def _writable(kind: str, fields: dict[str, str]) -> bool:
    if "readonly" in fields:
        return not _TRUTH[fields["readonly"].lower()]
    return _TRUTH[fields.get("readwrite", "true" if kind in {"cache", "tmpfs"} else "false").lower()]


def _sharing(fields: dict[str, str]) -> str:
    sharing = fields.get("sharing", "shared").lower()
    if sharing not in _SHARING:
        raise ValueError(f"sharing is one of {', '.join(_SHARING)}, not {sharing!r}")
    return sharing


def _number(fields: dict[str, str], key: str, default: int, *, base: int = 10) -> int:
    text = fields.get(key)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"mount option {key} takes a number, not {text!r}")
    return int(text[:12], base)
