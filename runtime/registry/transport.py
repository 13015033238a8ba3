"""One exchange over HTTP: connections, proxies and certificates.

Nothing is followed, repeated or decoded here; an answer is read piece by piece by whoever asked.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import urllib3
from urllib3.util import Timeout, make_headers, parse_url

from runtime.registry import limits
from runtime.registry.certificates import contexts
from runtime.registry.endpoint import is_loopback
from runtime.registry.faults import RegistryFault, Transient, broken
from runtime.registry.troubles import PROXY_HINT, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Protocol

    from runtime.registry.access import Access

    class Reader(Protocol):
        """A body that is read while it is sent."""

        def read(self, size: int = -1, /) -> bytes:
            """Return up to `size` bytes; empty at the end."""

    Body = bytes | Reader | None
    Content = bytes | Callable[[], AbstractContextManager[Reader]] | None

_AGENT = {"User-Agent": "tare", "Accept-Encoding": "identity"}
_DIGITS = 18  # those of 2**63, or one less


class Answer:
    """An HTTP response whose body is still to come."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, url: str) -> None:
        self._raw = raw
        self.url = url
        self.status = raw.status

    def header(self, name: str) -> str | None:
        """Return a header's value."""
        value = self._raw.headers.get(name)
        return None if value is None else str(value)

    def headers(self, name: str) -> list[str]:
        """Return the values of a header that may come more than once."""
        return list(self._raw.headers.getlist(name))

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it arrives; a lost connection is `Transient`."""
        with translated(self.url):
            while piece := self._raw.read1(limits.CHUNK, decode_content=False):
                yield piece

    def body(self, limit: int) -> bytes:
        """Return a small body; one over `limit` bytes, or that takes too long, is a fault."""
        parts, size, deadline = [], 0, time.monotonic() + limits.PATIENCE
        for piece in self.pieces():
            parts.append(piece)
            size += len(piece)
            if size > limit:
                raise broken(f"{self.url} sends more than the {limit} bytes that it may")
            if time.monotonic() > deadline:
                raise RegistryFault(f"{self.url} took more than {limits.PATIENCE:.0f} s to send a document")
        promised = number(self.header("content-length"))
        if promised is not None and size < promised:
            raise Transient(RegistryFault(f"{self.url} ended after {size} of {promised} bytes"))
        return b"".join(parts)

    def close(self) -> None:
        """Give the connection back if the body was read, or is empty; else end it."""
        if self._raw.length_remaining == 0:
            # http.client takes even an empty body for unread, and refuses the connection's next answer.
            self._raw.drain_conn()
        if not self._raw.closed:
            self._raw.close()
        self._raw.release_conn()


class Transport:
    """The connections to all servers of one command. A context manager; used by several threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._pools: dict[tuple[str, str], urllib3.PoolManager] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for manager in self._pools.values():
            for key in manager.pools.keys():  # noqa: SIM118 - urllib3's container refuses to be iterated
                # PoolManager.clear() only forgets: what an error's frames still refer to would stay open.
                manager.pools[key].close()
            manager.clear()

    @contextmanager
    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body = None,
        *,
        verify: bool = True,
        silence: float = limits.SILENCE,
    ) -> Iterator[Answer]:
        """Send a request and yield the answer, whatever its status; wait `silence` seconds for each byte."""
        with translated(url):
            raw = self._pool(url, verify=verify).urlopen(
                method,
                url,
                body=body,
                headers={**_AGENT, **headers},
                redirect=False,
                retries=False,
                timeout=Timeout(connect=min(limits.CONNECT, silence), read=silence),
                preload_content=False,
                decode_content=False,
            )
        answer = Answer(raw, url)
        try:
            _check_headers(raw, url)
            yield answer
        finally:
            answer.close()

    def _pool(self, url: str, *, verify: bool) -> urllib3.PoolManager:
        host = parse_url(url).netloc or ""
        key = (proxy_for(url), host if verify else "")
        if key not in self._pools:
            self._pools[key] = self._new_pool(key[0], host, verify=verify)
        return self._pools[key]

    def _new_pool(self, proxy: str, host: str, *, verify: bool) -> urllib3.PoolManager:
        context = contexts(host, self._access.certificates, verify=verify)
        if not proxy:
            return urllib3.PoolManager(maxsize=limits.PARALLEL, blocksize=limits.CHUNK, ssl_context=context)
        parts = urlsplit(proxy)
        if parts.scheme not in ("http", "https"):
            message = f"the proxy for {host} is of the kind {parts.scheme}, and only http and https are known"
            raise RegistryFault(message, kind="usage", hint=PROXY_HINT)
        login = f"{parts.username}:{parts.password or ''}" if parts.username else None
        return urllib3.ProxyManager(
            proxy,
            maxsize=limits.PARALLEL,
            blocksize=limits.CHUNK,
            ssl_context=context,
            proxy_headers=make_headers(proxy_basic_auth=login) if login else None,
        )


def number(text: str | None) -> int | None:
    """Return the number that a header is, or None: a server may write anything there, of any length."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def proxy_for(url: str) -> str:
    """Return the proxy for a URL by HTTP_PROXY, HTTPS_PROXY and NO_PROXY; never one for this machine."""
    parts = urlsplit(url)
    proxies = getproxies_environment()
    if is_loopback(parts.hostname or "") or proxy_bypass_environment(parts.netloc, proxies):
        return ""
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def _check_headers(raw: urllib3.BaseHTTPResponse, url: str) -> None:
    if sum(len(name) + len(value) for name, value in raw.headers.items()) > limits.HEADERS:
        raise broken(f"{url} sends more than {limits.HEADERS} bytes of headers")
