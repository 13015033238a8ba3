"""What this host's administrator says about registries: containers-registries.conf(5), docker's daemon.json.

Of `registries.conf` (TOML, version 2) the tables `[[registry]]` count, with prefix, location, insecure,
blocked, mirror-by-digest-only and `[[registry.mirror]]`. Its parts about short names do not: to us these are
docker's always.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runtime.errors import RuntimeFault
from runtime.image.reference import Reference

_SYSTEM = Path("/etc/containers")
_DAEMON = Path("/etc/docker/daemon.json")
_HUB = "docker.io"
_WHEN = {"all", "digest-only", "tag-only"}


@dataclass(frozen=True, slots=True)
class Mirror:
    """Another place for what is below a prefix; `when` is "all", "digest-only" or "tag-only"."""

    location: str
    insecure: bool = False
    when: str = "all"


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for all names that begin with `prefix`: a host, or `*.domain`, and perhaps a path."""

    prefix: str
    location: str
    file: Path
    insecure: bool = False
    blocked: bool = False
    mirrors: tuple[Mirror, ...] = ()

    def rest(self, name: str) -> str | None:
        """Return what a name has after the prefix, or None if it doesn't begin so."""
        if self.prefix.startswith("*."):
            host, slash, path = name.partition("/")
            return slash + path if host.endswith(self.prefix[1:]) else None
        rest = name.removeprefix(self.prefix)
        return rest if name.startswith(self.prefix) and rest[:1] in ("", "/") else None


def rule(name: str) -> Rule | None:
    """Return the rule with the longest prefix for `DOMAIN/PATH`; of several files the last one counts."""
    rules = {one.prefix: one for file in files() for one in _rules(file)}
    matching = [one for one in rules.values() if one.rest(name) is not None]
    return max(matching, key=lambda one: len(one.prefix), default=None)


def files() -> list[Path]:
    """Return the files that there are: $CONTAINERS_REGISTRIES_CONF alone, or the user's for the system's."""
    if chosen := os.environ.get("CONTAINERS_REGISTRIES_CONF"):
        return [Path(chosen)]
    home = os.environ.get("XDG_CONFIG_HOME")
    own = (Path(home) if home else Path.home() / ".config") / "containers"
    first = next((one for place in (own, _SYSTEM) if (one := place / "registries.conf").exists()), None)
    more = {file.name: file for place in (_SYSTEM, own) for file in place.glob("registries.conf.d/*.conf")}
    return [*([first] if first else []), *(more[name] for name in sorted(more))]


def daemon_mirrors() -> tuple[Mirror, ...]:
    """Return docker's `registry-mirrors`, which are for the Docker Hub alone."""
    try:
        found = json.loads(_DAEMON.read_bytes() or b"{}").get("registry-mirrors") or []
        return tuple(mirror(str(url)) for url in found)
    except (FileNotFoundError, PermissionError):
        return ()
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as err:
        raise RuntimeFault(f"cannot read the mirrors in {_DAEMON}: {err}", kind="usage") from err


def mirror(text: str) -> Mirror:
    """Parse a mirror: `[https://]HOST[:PORT][/PATH]`, or `http://…` for one without (good) encryption."""
    scheme, _, rest = text.rpartition("://")
    if scheme not in ("", "http", "https"):
        raise RuntimeFault(f"not a mirror: {text!r}", kind="usage", hint=_HINT)
    return Mirror(_place(rest.rstrip("/"), f"not a mirror: {text!r}"), insecure=scheme == "http")


_HINT = "write HOST[:PORT][/PATH], for example mirror.example.com or localhost:5000/hub"


def _rules(file: Path) -> list[Rule]:
    try:
        found = tomllib.loads(file.read_text()).get("registry", [])
        return [_rule(table, file) for table in found]
    except (OSError, ValueError, AttributeError, TypeError) as err:
        hint = "see containers-registries.conf(5), or name another file: CONTAINERS_REGISTRIES_CONF=FILE"
        raise RuntimeFault(f"cannot read the registries in {file}: {err}", kind="usage", hint=hint) from err


def _rule(table: dict[str, Any], file: Path) -> Rule:
    prefix = str(table.get("prefix") or table.get("location") or "")
    location = str(table.get("location") or ("" if prefix.startswith("*.") else prefix))
    if not prefix:
        raise ValueError("a [[registry]] has neither a prefix nor a location")
    for place in (prefix.removeprefix("*."), *([location] if location else [])):
        _place(place, f"{file}: {place!r} is no registry")
    only = "digest-only" if table.get("mirror-by-digest-only") else "all"
    return Rule(
        prefix,
        location,
        file,
        insecure=bool(table.get("insecure")),
        blocked=bool(table.get("blocked")),
        mirrors=tuple(_mirror(one, only, file) for one in table.get("mirror", ())),
    )


def _mirror(table: dict[str, Any], only: str, file: Path) -> Mirror:
    location, when = str(table.get("location") or ""), str(table.get("pull-from-mirror") or only)
    if when not in _WHEN:
        raise ValueError(f"pull-from-mirror is {when!r}, not one of {', '.join(sorted(_WHEN))}")
    return Mirror(_place(location, f"{file}: {location!r} is no mirror"), bool(table.get("insecure")), when)


def _place(text: str, what: str) -> str:
    """Return a host with or without a path, in which images can be."""
    try:
        if urlsplit(f"//{text}").hostname and Reference.parse(f"{text}/a/x").name == f"{text}/a/x":
            return text
    except (RuntimeFault, ValueError):  # said below, about what was written
        pass
    raise RuntimeFault(what, kind="usage", hint=_HINT)
