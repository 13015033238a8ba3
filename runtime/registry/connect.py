"""A session with a registry, from options and stored accounts."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from runtime.registry import credentials
from runtime.registry.authorizer import Authorizer
from runtime.registry.session import Session
from runtime.registry.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.registry.access import Access, Account
    from runtime.registry.endpoint import Endpoint


@contextmanager
def connected(endpoint: Endpoint, access: Access, scopes: tuple[str, ...]) -> Iterator[Session]:
    """Yield a session for one repository, whose connections end with the block; nothing is sent yet."""

    def account() -> Account | None:
        return access.account or credentials.find(endpoint.domain, endpoint.path)

    stop = Event()
    with Transport(access) as transport:
        authorizer = Authorizer(transport, scopes, account, stop, verify=endpoint.verify)
        yield Session(transport, endpoint, authorizer, stop)
