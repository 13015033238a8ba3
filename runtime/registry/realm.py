"""The token server that a registry names: whether we call it, and whether we show it an account.

A registry may send us to any address, also to one that only we can reach. So a realm must be as secure as
the registry, must not lie in a private network that the registry isn't of, and is shown an account only if
it is the registry's own host or a neighbour of it (`auth.docker.io` of `registry-1.docker.io`).
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from runtime.registry.endpoint import is_loopback, port
from runtime.registry.faults import broken, printable

_FEWEST_LABELS = 3
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})


def check(realm: str, registry: str) -> None:
    """Refuse a realm that a registry (by its URL) has no business to send us to: a `corrupt` fault."""
    try:
        parts = urlsplit(realm)
        port(parts)
    except ValueError as err:
        raise _refused(realm, registry, "is no URL") from err
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host or not realm.isprintable() or " " in realm:
        raise _refused(realm, registry, "is no web address")
    if parts.username is not None or parts.password is not None:
        raise _refused(realm, registry, "has an account in it")
    if parts.scheme == "http" and urlsplit(registry).scheme == "https":
        raise _refused(realm, registry, "is not secure, but the registry is")
    if not related(realm, registry) and _is_inside(host):
        raise _refused(realm, registry, "is inside a private network")


def related(realm: str, registry: str) -> bool:
    """Say whether a realm's host is the registry's own, or below the same domain."""
    own, other = (_host(url) for url in (registry, realm))
    if own == other:
        return True
    parent = _parent(own)
    return bool(parent) and (other == parent or other.endswith(f".{parent}"))


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower().rstrip(".")


def _parent(host: str) -> str:
    """Return the domain that a host shares with its neighbours, or nothing if that is a registrar's."""
    labels = host.split(".")
    if len(labels) < _FEWEST_LABELS or _is_address(host):
        return ""
    if len(labels) == _FEWEST_LABELS and labels[1] in _SECOND_LEVEL and len(labels[2]) == 2:  # noqa: PLR2004
        return ""
    return ".".join(labels[1:])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_inside(host: str) -> bool:
    """Say whether any address of a host is not a public one; unknown hosts fail when they are called."""
    if is_loopback(host):
        return True
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return any(not ipaddress.ip_address(address.partition("%")[0]).is_global for address in found)


def _refused(realm: str, registry: str, why: str) -> Exception:
    return broken(
        f"the registry {_host(registry)} sends us for a token to {printable(realm)!r}, which {why}",
        hint="nothing was sent there; tell the registry's operator",
    )
