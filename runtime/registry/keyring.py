"""Changing what accounts are stored: in a file that docker and podman read too, or in a credential helper."""

from __future__ import annotations

import base64
import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runtime.errors import RuntimeFault
from runtime.image import disk
from runtime.registry import credentials, helpers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.registry.access import Account

_PRIVATE = 0o600


def remember(domain: str, account: Account) -> str:
    """Store the account for a registry in place of any that is stored; returns where it is now.

    The place is the file that has one already, else docker's, or the helper that this file names.
    """
    file = _place(domain)
    with _changing(file) as config:
        helper = next(iter(credentials.named_helpers(config, domain)), None)
        _drop(config, domain)
        # Beside a helper docker keeps an empty entry, which `docker logout` and `podman logout` look for.
        entry = {} if helper else {"auth": _encoded(account)}
        if helper:
            helpers.store(helper, credentials.key(domain), account)
        config["auths"] = {**credentials.table(config, "auths"), credentials.key(domain): entry}
    return f"docker-credential-{helper}" if helper else str(file)


def forget(domain: str) -> list[str]:
    """Remove the account for a registry wherever one is stored; returns those places."""
    found = []
    for file in credentials.files():
        config = credentials.load(file)
        with_one = [
            helper
            for helper in credentials.named_helpers(config, domain)
            if helpers.erase(helper, credentials.key(domain))
        ]
        found += [f"docker-credential-{helper}" for helper in with_one]
        if _entries(config, domain):
            with _changing(file) as current:
                full = any(credentials.table(current, "auths")[name] for name in _entries(current, domain))
                _drop(current, domain)
            found += [str(file)] if full else []
    return found


def _place(domain: str) -> Path:
    """Return the first file that has the account, since an account elsewhere would never be found."""
    files = credentials.files()
    for file in files:
        config = credentials.load(file)
        if _entries(config, domain) or domain in credentials.table(config, "credHelpers"):
            return file
    return files[-1]


def _entries(config: dict[str, Any], domain: str) -> list[str]:
    return [name for name in credentials.table(config, "auths") if credentials.host(name) == domain]


def _drop(config: dict[str, Any], domain: str) -> None:
    for name in _entries(config, domain):
        del config["auths"][name]


def _encoded(account: Account) -> str:
    return base64.b64encode(f"{account.user}:{account.password}".encode()).decode()


@contextmanager
def _changing(file: Path) -> Iterator[dict[str, Any]]:
    """Yield a file's content, and replace it in one step if the block succeeds; one process at a time."""
    file = file.resolve()  # a symbolic link stays one
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(file.parent):
            config = credentials.load(file)
            yield config
            content = json.dumps(config, indent="\t").encode() + b"\n"
            disk.replace(file, content, scratch=file.parent, mode=_PRIVATE)
    except OSError as err:
        raise RuntimeFault.from_os(err, f"write the accounts to {file}") from err


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    # The directory itself: a lock file beside docker's configuration would stay there for ever.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
