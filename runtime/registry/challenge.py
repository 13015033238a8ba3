"""WWW-Authenticate: what a registry asks for (RFC 9110, section 11.6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word for a word
_SCHEME = re.compile(rf"[\s,]*(?P<scheme>{_TOKEN})(?:\s+|$)")
_PARAMETER = re.compile(
    rf'[\s,]*(?P<name>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>{_TOKEN}))\s*(?:,|$)'
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to sign in; `scheme` and the names of the parameters are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse(headers: Iterable[str]) -> list[Challenge]:
    """Return the challenges of all the headers; what can't be understood ends its header."""
    return [challenge for header in headers for challenge in _parse(header)]


def _parse(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    place = 0
    while match := _SCHEME.match(header, place):
        challenge = Challenge(match["scheme"].lower())
        place = match.end()
        while parameter := _PARAMETER.match(header, place):
            plain = parameter["plain"]
            value = re.sub(r"\\(.)", r"\1", parameter["quoted"]) if plain is None else plain
            challenge.parameters[parameter["name"].lower()] = value
            place = parameter.end()
        found.append(challenge)
    return found
