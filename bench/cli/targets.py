"""How targets are named on the command line: plain ones, and versions with one thing changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from bench import variant
from bench.errors import BenchFault
from bench.targets.registry import NAMES
from bench.variant import Variant


@dataclass(frozen=True)
class Chosen:
    """The names of targets as the result file has them, and what the versions among them are."""

    names: tuple[str, ...] = ()
    versions: tuple[Variant, ...] = ()

    def __add__(self, other: "Chosen") -> "Chosen":
        """Return both, each target once."""
        return Chosen(_once(self.names + other.names), _once(self.versions + other.versions))


class Targets(click.ParamType[Chosen]):
    """Comma-separated targets."""

    name = "TARGET[,TARGET]"

    def __init__(self, exactly: int | None = None) -> None:
        self._exactly = exactly

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Chosen:
        """Return the targets; an unknown one is a usage error that lists those there are."""
        if isinstance(value, Chosen):
            return value
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        found = Chosen()
        for word in words:
            found += self._one(word, param, ctx)
        if not words:
            self.fail(f"no target is named; there are: {', '.join(NAMES)}", param, ctx)
        if self._exactly is not None and len(found.names) != self._exactly:
            self.fail("name two different targets, the old one and the new one", param, ctx)
        return found

    def _one(self, word: str, param: click.Parameter | None, ctx: click.Context | None) -> Chosen:
        if not variant.is_spec(word):
            if word not in NAMES:
                self.fail(f"there is no target '{word}'; there are: {', '.join(NAMES)}", param, ctx)
            return Chosen((word,))
        try:
            version = variant.parse(word)
        except BenchFault as fault:
            self.fail(f"{fault}: {fault.hint}", param, ctx)
        return Chosen((version.name,), (version,))


def chosen(options: Mapping[str, Any]) -> Chosen:
    """Return the targets of `--targets` and `--ab` together; BenchFault when two versions share a name."""
    found: Chosen = (options["targets"] or Chosen()) + (options["ab"] or Chosen())
    variant.check(found.versions)
    return found


def _once(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(items))
