"""Signing in to a registry: basic, or with tokens that another server gives."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from runtime.registry import limits, realm
from runtime.registry.challenge import Challenge, parse
from runtime.registry.faults import TRANSIENT, RegistryFault, Transient, broken, refused
from runtime.registry.patience import persist, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from runtime.registry.access import Account
    from runtime.registry.transport import Transport

_CLIENT = "tare"
_SHORTEST_LIFE = 60.0  # seconds; distribution's token.md: the default, and the least
_MARGIN = 10.0  # seconds before its end that a token is no longer used
_OK = 200


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    until: float  # by time.monotonic


class Authorizer:
    """Signs one command in to one registry; used by several threads.

    `scopes` are what we want to do, as `repository:NAME:pull,push`; `account` is asked for only when the
    registry wants one.
    """

    def __init__(
        self,
        transport: Transport,
        scopes: tuple[str, ...],
        account: Callable[[], Account | None],
        stop: Event,
        *,
        verify: bool = True,
    ) -> None:
        self._transport = transport
        self._scopes = scopes
        self._account = account
        self._stop = stop
        self._verify = verify
        self._lock = RLock()
        self._token: _Token | None = None
        self._challenge: Challenge | None = None

    def header(self, registry: str) -> str | None:
        """Return the Authorization header for the registry at that URL, a fresh one if it has run out."""
        with self._lock:
            if self._token is not None and self._token.until < time.monotonic() and self._challenge:
                self._token = self._bearer(self._challenge, registry)
            return self._token.header if self._token else None

    def answer(self, registry: str, challenges: list[str], failed: str | None) -> str | None:
        """Return the header that answers a 401, or None where we have nothing to say.

        `failed` is the header that was refused: if another thread has a newer one by now, that is returned.
        """
        with self._lock:
            if self._token is not None and self._token.header != failed:
                return self._token.header
            for challenge in sorted(parse(challenges), key=lambda one: one.scheme != "bearer"):
                found = self._try(challenge, registry)
                if found is not None and found.header != failed:
                    self._token, self._challenge = found, challenge
                    return found.header
            return None

    def _try(self, challenge: Challenge, registry: str) -> _Token | None:
        if challenge.scheme == "bearer" and "realm" in challenge.parameters:
            return self._bearer(challenge, registry)
        account = self._account() if challenge.scheme == "basic" else None
        return _Token(basic(account), float("inf")) if account and account.user else None

    def _bearer(self, challenge: Challenge, registry: str) -> _Token:
        """Ask the realm for a token (distribution's auth/token.md and auth/oauth.md)."""
        url = challenge.parameters["realm"]
        realm.check(url, registry)
        account = self._account()
        if account is not None and not realm.related(url, registry):
            raise RegistryFault(
                f"the registry {urlsplit(registry).hostname} wants our account to be shown to "
                f"{urlsplit(url).hostname}, which has another domain",
                hint="nothing was sent there; go on without an account: tare registry logout HOST",
            )
        scopes = list(dict.fromkeys((*self._scopes, *challenge.parameters.get("scope", "").split())))
        query = [("service", challenge.parameters["service"])] if "service" in challenge.parameters else []
        query += [("scope", scope) for scope in scopes]
        return persist(lambda: self._fetch(url, query, account), self._stop)

    def _fetch(self, url: str, query: list[tuple[str, str]], account: Account | None) -> _Token:
        method, headers, body = "GET", {"Accept": "application/json"}, None
        if account is not None and account.token:
            method = "POST"
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = _refresh(query, account)
        else:
            url += ("&" if urlsplit(url).query else "?") + urlencode(query)
            if account is not None:
                headers["Authorization"] = basic(account)
        with self._transport.exchange(method, url, headers, body, verify=self._verify) as answer:
            if answer.status != _OK:
                fault = refused(answer.status, _said(answer.body), "get a token", urlsplit(url).netloc)
                if answer.status in TRANSIENT:
                    raise Transient(fault, retry_after(answer.header("retry-after")))
                raise fault
            return _token(answer.body(limits.TOKEN), urlsplit(url).netloc)


def basic(account: Account) -> str:
    """Return the header of RFC 7617."""
    return f"Basic {base64.b64encode(f'{account.user}:{account.password}'.encode()).decode()}"


def _refresh(query: list[tuple[str, str]], account: Account) -> bytes:
    scopes = " ".join(value for name, value in query if name == "scope")
    fields = [(name, value) for name, value in query if name != "scope"]
    fields += [("grant_type", "refresh_token"), ("client_id", _CLIENT), ("refresh_token", account.token)]
    return urlencode([*fields, ("scope", scopes)]).encode()


def _said(body: Callable[[int], bytes]) -> bytes:
    try:
        return body(limits.ERROR_BODY)
    except (RegistryFault, Transient):
        return b""


def _token(content: bytes, host: str) -> _Token:
    try:
        found = json.loads(content)
        text = found.get("token") or found.get("access_token")
        life = float(found.get("expires_in") or 0)
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError) as err:
        raise broken(f"the token server {host} sends no token") from err
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not text:
        raise broken(f"the token server {host} sends no token")
    return _Token(f"Bearer {text}", time.monotonic() + max(life, _SHORTEST_LIFE) - _MARGIN)
