"""Talking to one registry about one repository: the scheme, signing in, redirects."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from runtime.registry import limits, redirects
from runtime.registry.endpoint import origin
from runtime.registry.faults import TRANSIENT, RegistryFault, TlsFault, Transient, broken, refused
from runtime.registry.patience import Patience, endure, retry_after

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from threading import Event

    from runtime.registry.authorizer import Authorizer
    from runtime.registry.endpoint import Endpoint
    from runtime.registry.transport import Answer, Content, Transport

_OK = frozenset({200})
_UNAUTHORIZED = 401


class Session:
    """One repository at one endpoint; used by several threads."""

    def __init__(self, transport: Transport, endpoint: Endpoint, authorizer: Authorizer, stop: Event) -> None:
        self.endpoint = endpoint
        self.stop = stop
        self._transport = transport
        self._authorizer = authorizer
        self._lock = Lock()
        self._base = ""

    def patience(self, attempts: int = limits.ATTEMPTS) -> Patience:
        """Return the patience for one request: little with a mirror, since there is another place."""
        if self.endpoint.mirror:
            return Patience(self.stop, min(attempts, limits.MIRROR_ATTEMPTS), limits.MIRROR_RETRY_AFTER)
        return Patience(self.stop, attempts)

    @property
    def base(self) -> str:
        """The registry's `/v2/`, with the scheme that works; asks once."""
        with self._lock:
            if not self._base:
                self._base = endure(self._find, self.patience(limits.GREETINGS))
            return self._base

    @property
    def repository(self) -> str:
        """The URL that all of the repository's begin with."""
        return f"{self.base}{self.endpoint.path}/"

    def sign_in(self) -> bool:
        """Show our account, as soon as the registry asks for it; returns whether it did."""
        with self.ask("GET", self.base, doing=f"log in to {self.endpoint.domain}"):
            return self._authorizer.header(self.base) is not None

    @contextmanager
    def ask(
        self,
        method: str,
        url: str,
        *,
        doing: str,
        headers: Mapping[str, str] | None = None,
        body: Content = None,
        ok: Collection[int] = _OK,
    ) -> Iterator[Answer]:
        """Yield the answer, whose status is one of `ok`; sign in and follow redirects on the way.

        Raises `Transient` for what may pass, `RegistryFault` for the rest.
        """
        with ExitStack() as stack:
            answer = self._signed(stack, method, url, headers or {}, body)
            for _ in range(limits.REDIRECTS):
                if answer.status in ok or answer.status not in redirects.STATUSES:
                    break
                goal = redirects.target(answer.url, answer.header("location"))
                stack.close()
                answer = self._signed(stack, method, goal, headers or {}, body)
            if answer.status not in ok:
                raise self._trouble(answer, doing)
            yield answer

    def document(
        self, url: str, *, doing: str, limit: int, headers: Mapping[str, str] | None = None
    ) -> tuple[Answer, bytes]:
        """GET a small body, trying again where that may help; returns the answer, for its headers, too."""

        def once() -> tuple[Answer, bytes]:
            with self.ask("GET", url, doing=doing, headers=headers) as answer:
                if answer.header("content-encoding") not in (None, "identity"):
                    raise broken(f"{url} sends a content encoding that nobody asked for")
                return answer, answer.body(limit)

        return endure(once, self.patience())

    def _signed(
        self, stack: ExitStack, method: str, url: str, headers: Mapping[str, str], body: Content
    ) -> Answer:
        """Send with our account if, and only if, `url` is the registry's own."""
        own = origin(url) == origin(self.base)
        held = self._authorizer.header(self.base) if own else None
        answer = self._send(stack, method, url, headers, body, held)
        if answer.status != _UNAUTHORIZED or not own:
            return answer
        fresh = self._authorizer.answer(self.base, answer.headers("www-authenticate"), held)
        if fresh is None:
            return answer
        stack.close()
        return self._send(stack, method, url, headers, body, fresh)

    def _send(  # noqa: PLR0917 - a request has as many parts
        self,
        stack: ExitStack,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Content,
        authorization: str | None,
    ) -> Answer:
        signed = {**headers, "Authorization": authorization} if authorization else headers
        whole = stack.enter_context(body()) if callable(body) else body
        return stack.enter_context(
            self._transport.exchange(method, url, signed, whole, verify=self.endpoint.verify)
        )

    def _trouble(self, answer: Answer, doing: str) -> Exception:
        host = self.endpoint.host
        if answer.status in redirects.STATUSES:
            return broken(f"cannot {doing}: more than {limits.REDIRECTS} redirects")
        if origin(answer.url) != origin(self.base):
            host = origin(answer.url)[1]
        fault = refused(answer.status, _error_body(answer), doing, host)
        if answer.status == _UNAUTHORIZED and origin(answer.url) != origin(self.base):
            what = f"cannot {doing}: {host}, where the registry redirects to, asks for an account"
            return RegistryFault(what, hint="accounts are shown to the registry alone", status=_UNAUTHORIZED)
        if answer.status in TRANSIENT:
            return Transient(fault, retry_after(answer.header("retry-after")))
        return fault

    def _find(self) -> str:
        """Return the first base that answers; of several troubles, that of the secure scheme counts."""
        troubles: list[RegistryFault | Transient] = []
        for base in self.endpoint.bases:
            try:
                url, challenges = self._ping(base)
            except TlsFault:  # no reason to talk to the same host without encryption
                raise
            except (RegistryFault, Transient) as trouble:
                troubles.append(trouble)
            else:
                if challenges:  # a fault of this is no sign that nobody is there
                    self._authorizer.answer(url, challenges, None)
                return url
        raise next((one for one in troubles if _has_answered(one)), troubles[0])

    def _ping(self, base: str) -> tuple[str, list[str]]:
        """Check that a registry is there (distribution-spec, "Determining Support"): any answer will do.

        Returns the URL, and how it wants to be answered if it asks who we are.
        """
        url = urljoin(base, "/v2/")
        silence = limits.MIRROR_SILENCE if self.endpoint.mirror else limits.SILENCE
        with self._transport.exchange("GET", url, {}, verify=self.endpoint.verify, silence=silence) as answer:
            if answer.status in TRANSIENT:
                fault = refused(answer.status, _error_body(answer), "reach the registry", self.endpoint.host)
                raise Transient(fault, retry_after(answer.header("retry-after")))
            return url, answer.headers("www-authenticate") if answer.status == _UNAUTHORIZED else []


def _error_body(answer: Answer) -> bytes:
    try:
        return answer.body(limits.ERROR_BODY)
    except (RegistryFault, Transient):
        return b""


def _has_answered(trouble: RegistryFault | Transient) -> bool:
    """Say whether there was an HTTP answer at all."""
    return bool(trouble.fault.status if isinstance(trouble, Transient) else trouble.status)
