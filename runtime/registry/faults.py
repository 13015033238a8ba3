"""What a registry's refusal is in our words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from runtime.errors import Kind

_MOST_TEXT = 300  # characters of a server's own words
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


class RegistryFault(RuntimeFault):
    """A registry refused, or said what can't be true; `status` is that of HTTP, 0 where there was none."""

    def __init__(self, message: str, *, kind: Kind = "failed", hint: str = "", status: int = 0) -> None:
        super().__init__(message, kind=kind, hint=hint)
        self.status = status


class TlsFault(RegistryFault):
    """A server is there and speaks TLS, but one of the two does not trust the other's certificate."""


class Transient(Exception):  # noqa: N818 - not an error yet: it is worth another attempt
    """Something that may pass: `fault` is what it is if it doesn't, `after` the wait that was asked for."""

    def __init__(self, fault: RegistryFault, after: float | None = None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.after = after


def refused(status: int, body: bytes, doing: str, host: str) -> RegistryFault:
    """Return the fault for an answer that is no success: `doing` is such as "pull x from y"."""
    said = words(body)
    reason = f"HTTP status {status}" + (f": {said}" if said else "")
    message = f"cannot {doing}: {reason}"
    if status == _UNAUTHORIZED:
        hint = f"give --creds USER, or log in: tare registry login {host}"
        return RegistryFault(message, hint=hint, status=status)
    if status == _FORBIDDEN:
        hint = "the account has no right to that; give another with --creds USER"
        return RegistryFault(message, hint=hint, status=status)
    if status == _NOT_FOUND:
        hint = "check the name and the tag; a private repository also looks as if it were missing"
        return RegistryFault(message, kind="missing", hint=hint, status=status)
    if status == _TOO_MANY:
        return RegistryFault(message, hint="wait some minutes, log in, or use a mirror", status=status)
    return RegistryFault(message, hint=f"the registry {host} has a fault; try later", status=status)


def broken(what: str, *, hint: str = "try another registry or mirror, or tell its operator") -> RegistryFault:
    """Return the fault for content that is not what it should be."""
    return RegistryFault(what, kind="corrupt", hint=hint)


def words(body: bytes) -> str:
    """Return what an error body says, in one printable line (distribution-spec, "Error Codes")."""
    try:
        errors = json.loads(body)["errors"]
        said = "; ".join(
            f"{str(one.get('code', '')).lower().replace('_', ' ')}: {one.get('message', '')}"
            for one in errors
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        said = body.decode("utf-8", "replace") if not body.lstrip().startswith(b"<") else ""
    return printable(said)


def printable(text: str) -> str:
    """Return foreign text without what steers a terminal or turns its lines around, and not too long."""
    shown = "".join(one if one.isprintable() else " " for one in text[: 4 * _MOST_TEXT])
    return " ".join(shown.split())[:_MOST_TEXT]
