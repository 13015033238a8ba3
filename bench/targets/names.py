"""How targets are named by people: plain ones, and versions with one thing changed, with commas between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import variant
from bench.errors import BenchFault
from bench.targets import installed

if TYPE_CHECKING:
    from bench.variant import Variant


ALL = "all"


@dataclass(frozen=True)
class Chosen:
    """The names of targets as the result file has them, and what the versions among them are.

    `every` stands for whatever can run here, and comes without names.
    """

    names: tuple[str, ...] = ()
    versions: tuple[Variant, ...] = ()
    every: bool = False

    def __add__(self, other: Chosen) -> Chosen:
        """Return both, each target once; BenchFault of kind `usage` when two versions share a name."""
        versions = tuple(dict.fromkeys(self.versions + other.versions))
        variant.check(versions)
        names = tuple(dict.fromkeys(self.names + other.names))
        return Chosen(names, versions, self.every or other.every)


def choose(text: str) -> Chosen:
    """Return the targets that `text` names; BenchFault of kind `usage`, which lists those there are."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise _unknown("no target is named")
    if words == [ALL]:
        return Chosen(every=True)
    found = Chosen()
    for word in words:
        found += _one(word)
    return found


def _one(word: str) -> Chosen:
    if variant.is_spec(word):
        version = variant.parse(word)
        return Chosen((version.name,), (version,))
    if word not in installed.names():
        raise _unknown(f"there is no target '{word}'")
    return Chosen((word,))


def _unknown(text: str) -> BenchFault:
    return BenchFault(text, hint=f"there are: {', '.join(installed.names())}", kind="usage")
