"""Stored accounts: docker's config.json, podman's auth.json, and the helpers that they name.

Where: $REGISTRY_AUTH_FILE alone if it is set; else podman's $XDG_RUNTIME_DIR/containers/auth.json, then
docker's $DOCKER_CONFIG/config.json or ~/.docker/config.json (containers-auth.json(5), `docker login`).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from runtime.errors import RuntimeFault
from runtime.registry import helpers, limits
from runtime.registry.access import Account

HUB_KEY = "https://index.docker.io/v1/"
_HUB = "docker.io"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


def find(domain: str, path: str = "") -> Account | None:
    """Return the account for a registry, the one for the longest part of `path` first; None for nobody."""
    for file in files():
        config = load(file)
        if (found := _in_file(config, domain, path, file)) is not None:
            return found
    return None


def files() -> tuple[Path, ...]:
    """Return the files that may hold accounts, the first one first."""
    if chosen := os.environ.get("REGISTRY_AUTH_FILE"):
        return (Path(chosen),)
    places = []
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        places.append(Path(runtime) / "containers/auth.json")
    folder = os.environ.get("DOCKER_CONFIG")
    return (*places, (Path(folder) if folder else Path.home() / ".docker") / "config.json")


def load(file: Path) -> dict[str, Any]:
    """Return a file's content, empty for none; a usage fault if it can't be read."""
    try:
        with file.open("rb") as stream:
            content = stream.read(limits.DOCUMENT)
        config = json.loads(content) if content.strip() else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as err:
        raise RuntimeFault(f"cannot read the accounts in {file}: {err}", kind="usage") from err
    if not isinstance(config, dict):
        raise RuntimeFault(f"cannot read the accounts in {file}: it is no JSON object", kind="usage")
    return config


def key(domain: str) -> str:
    """Return the name that docker stores a registry's account under."""
    return HUB_KEY if domain == _HUB else domain


def table(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a part of a configuration that is an object, empty if it isn't."""
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def named_helpers(config: dict[str, Any], domain: str) -> list[str]:
    """Return the credential helpers that a configuration has for a registry, the first one first."""
    found = (table(config, "credHelpers").get(domain), config.get("credsStore"))
    return [helper for helper in found if isinstance(helper, str) and helper]


def _in_file(config: dict[str, Any], domain: str, path: str, file: Path) -> Account | None:
    for helper in named_helpers(config, domain):
        if (found := helpers.get(helper, key(domain))) is not None:
            return found
    entries = {host(name): entry for name, entry in table(config, "auths").items()}
    parts = path.split("/") if path else []
    for length in range(len(parts), -1, -1):
        entry = entries.get("/".join((domain, *parts[:length])))
        if isinstance(entry, dict) and (account := _account(entry, file, domain)) is not None:
            return account
    return None


def host(name: str) -> str:
    """Return a key of `auths` without its scheme, and without the version that old programs add."""
    bare = name.removeprefix("https://").removeprefix("http://").rstrip("/")
    for version in ("/v1", "/v2"):
        bare = bare.removesuffix(version)
    head, slash, rest = bare.partition("/")
    return (_HUB if head in _HUB_NAMES else head) + slash + rest


def _account(entry: dict[str, Any], file: Path, domain: str) -> Account | None:
    token = str(entry.get("identitytoken") or "")
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if text := entry.get("auth"):
        with suppress(ValueError, binascii.Error):
            user, colon, password = base64.b64decode(str(text), validate=True).decode().partition(":")
            if colon:
                return Account(user, password.rstrip("\0"), token)
        raise RuntimeFault(
            f"the account for {domain} in {file} is damaged",
            kind="usage",
            hint=f"log in again: tare registry login {domain}",
        )
    return Account(user, password, token) if user or token else None
