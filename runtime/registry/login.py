"""Logging in: an account is stored only after the registry has taken it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.image.reference import Reference
from runtime.registry import credentials, keyring, registries
from runtime.registry.access import Access
from runtime.registry.connect import connected
from runtime.registry.endpoint import Endpoint
from runtime.registry.faults import RegistryFault

if TYPE_CHECKING:
    from runtime.registry.access import Account

_ANY = Access()
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Login:
    """What became of a login: `place` has the account now, `checked` is whether the registry asked for it."""

    place: str
    checked: bool


def server(text: str) -> str:
    """Return the domain that a person means by a host, a URL of docker's or nothing (the Docker Hub)."""
    domain = credentials.host(text) if text else "docker.io"
    try:
        if Reference.parse(f"{domain}/x").domain == domain:
            return domain
    except RuntimeFault:  # said below, about what was typed
        pass
    hint = "write HOST or HOST:PORT, as image names begin: registry.example.com, localhost:5000"
    raise RuntimeFault(f"{text!r} is no registry", kind="usage", hint=hint)


def login(domain: str, account: Account, *, access: Access = _ANY) -> Login:
    """Check an account with the registry `domain` and store it; one that is refused is a fault."""
    rule = registries.rule(domain)
    endpoint = Endpoint(domain, "", access.verify and not (rule and rule.insecure))
    with connected(endpoint, replace(access, account=account), ()) as session:
        try:
            checked = session.sign_in()
        except RegistryFault as fault:
            if fault.status != _UNAUTHORIZED:
                raise
            hint = "check the name and the password; with two factors a registry wants a token for a password"
            message = f"{domain} refuses the account of {account.user}: {fault}"
            raise RegistryFault(message, hint=hint, status=fault.status) from fault
    place = keyring.remember(domain, account)
    if credentials.find(domain) != account:
        hint = f"tare registry logout {domain} removes all; then log in again"
        raise RuntimeFault(f"another stored account for {domain} hides the one now in {place}", hint=hint)
    return Login(place, checked)
