"""Reads the definitions, once, and refuses what makes no sense."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from bench.claims.definition import Claim, problems
from bench.errors import BenchFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE = "claims.toml"


@cache
def claims() -> Mapping[str, Claim]:
    """Return all claims by id, in the order of the course."""
    return parse(files("bench.claims").joinpath(FILE).read_text())


def parse(text: str, *, origin: str = FILE) -> Mapping[str, Claim]:
    """Return the claims that `text` (TOML) defines; BenchFault of kind `corrupt` names what is wrong."""
    try:
        found = msgspec.convert(tomllib.loads(text).get("claim"), tuple[Claim, ...])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _corrupt(f"{origin}: {error}") from error
    for claim in found:
        for problem in problems(claim):
            raise _corrupt(f"{origin}: {problem}")
    known = {claim.id: claim for claim in found}
    if len(known) < len(found):
        raise _corrupt(f"{origin}: two claims have the same id")
    return known


def select(names: Sequence[str]) -> tuple[Claim, ...]:
    """Return the claims that are named, each once, or all; an unknown name is a fault of kind `usage`."""
    known = claims()
    for name in names:
        if name not in known:
            raise BenchFault(
                f"there is no claim '{name}'", hint=f"there are: {', '.join(known)}", kind="usage"
            )
    return tuple(known[name] for name in dict.fromkeys(names or known))


def asked(chosen: Sequence[Claim], *, fast: bool) -> dict[str, dict[str, int]]:
    """Return what to measure for them: the fewest runs by scenario, then by target.

    Where `params` name a layout, which has its own turns, that has an entry beside the target's.
    """
    found: dict[str, dict[str, int]] = {}
    for part in (part for claim in chosen for part in claim.part if part.scenario):
        runs = part.fixed(fast=fast)
        counts = found.setdefault(part.scenario, {})
        for name in (*part.targets, *filter(None, [str(part.params.get("layout", ""))])):
            counts[name] = max(counts.get(name, 0), runs)
    return found


def _corrupt(text: str) -> BenchFault:
    return BenchFault(text, hint="install Tare again; the definitions are part of it", kind="corrupt")
