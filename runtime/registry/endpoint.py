"""Where a repository is: the host that speaks for a name, and the scheme to begin with."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOST = "registry-1.docker.io"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One registry and a repository in it; `domain` is the name that accounts are stored under.

    A `mirror` is not waited for as long, since there is another place.
    """

    domain: str
    path: str
    verify: bool = True
    mirror: bool = False

    @property
    def host(self) -> str:
        """Host and port to connect to."""
        return _DOCKER_HUB_HOST if self.domain == _DOCKER_HUB else self.domain

    @property
    def bases(self) -> tuple[str, ...]:
        """URLs to try, best first: plain HTTP only on this machine, or where nothing is to be verified.

        Docker takes 127.0.0.0/8 for insecure registries in the same way.
        """
        plain = not self.verify or is_loopback(urlsplit(f"//{self.host}").hostname or "")
        return (f"https://{self.host}", f"http://{self.host}") if plain else (f"https://{self.host}",)

    def __str__(self) -> str:
        return f"{self.domain}/{self.path}"


def origin(url: str) -> tuple[str, str, int]:
    """Return what an account may be shown to: scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), port(parts)


def port(parts: SplitResult) -> int:
    """Return the port of a URL; `ValueError` for one that isn't a number."""
    return parts.port or _PORTS.get(parts.scheme, 0)


def is_loopback(host: str) -> bool:
    """Say whether a host's name is this machine, by name alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
