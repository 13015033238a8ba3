"""Credential helpers: programs `docker-credential-NAME` that keep accounts (docker-credential-helpers)."""

from __future__ import annotations

import json
import re
import subprocess

from runtime.errors import RuntimeFault
from runtime.registry.access import Account
from runtime.registry.faults import printable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TIMEOUT = 60.0  # seconds; some ask the person
_TOKEN_USER = "<token>"  # noqa: S105 - the protocol's word for "the secret is an identity token"
_NOT_THERE = ("credentials not found", "no credentials server url", "no credentials username")


def get(helper: str, server: str) -> Account | None:
    """Return the account that a helper has for `server`, or None."""
    done = _run(helper, "get", server)
    said = f"{done.stdout}{done.stderr}".strip()
    if done.returncode:
        if any(sign in said.lower() for sign in _NOT_THERE):
            return None
        raise _failed(helper, "get", said)
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, LookupError, TypeError, RecursionError) as err:
        raise _failed(helper, "get", "its answer is not what the protocol says") from err
    return Account(token=secret) if user == _TOKEN_USER else Account(user, secret)


def store(helper: str, server: str, account: Account) -> None:
    """Let a helper keep an account."""
    entry = {"ServerURL": server, "Username": account.user, "Secret": account.password}
    done = _run(helper, "store", json.dumps(entry))
    if done.returncode:
        raise _failed(helper, "store", f"{done.stdout}{done.stderr}")


def erase(helper: str, server: str) -> bool:
    """Let a helper forget an account; returns whether it had one."""
    if get(helper, server) is None:
        return False
    done = _run(helper, "erase", server)
    if done.returncode:
        raise _failed(helper, "erase", f"{done.stdout}{done.stderr}")
    return True


def _run(helper: str, verb: str, text: str) -> subprocess.CompletedProcess[str]:
    if not _NAME.fullmatch(helper):
        raise RuntimeFault(f"{helper!r} is no name of a credential helper", kind="usage")
    try:
        return subprocess.run(
            [f"docker-credential-{helper}", verb],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise _failed(helper, verb, str(err)) from err


def _failed(helper: str, verb: str, said: str) -> RuntimeFault:
    return RuntimeFault(
        f"the credential helper docker-credential-{helper} can't {verb}: {printable(said)}",
        kind="usage",
        hint="install or unlock it, or take it out of docker's config.json",
    )
