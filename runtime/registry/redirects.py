"""Where a server sends us, and whether we go."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from runtime.registry.endpoint import port
from runtime.registry.faults import broken, printable

STATUSES = frozenset({301, 302, 303, 307, 308})


def target(url: str, location: str | None) -> str:
    """Return the URL that `location`, in an answer to `url`, names.

    A fault of kind `corrupt` for none, for another scheme than HTTP's, for a way from HTTPS to plain HTTP,
    and for one that carries an account.
    """
    if not location:
        raise broken(f"{url} redirects to nowhere")
    goal = urljoin(url, location)
    try:
        parts = urlsplit(goal)
        port(parts)
    except ValueError as err:
        raise broken(f"{url} redirects to what is no URL: {printable(goal)!r}") from err
    if parts.scheme not in ("http", "https") or not parts.hostname or not goal.isprintable() or " " in goal:
        raise broken(f"{url} redirects to what is no web address: {printable(goal)!r}")
    if parts.scheme == "http" and urlsplit(url).scheme == "https":
        raise broken(f"{url} redirects from https to plain http: {printable(goal)!r}")
    if parts.username is not None or parts.password is not None:
        raise broken(f"{url} redirects to an address with an account in it, at {parts.hostname}")
    return goal
