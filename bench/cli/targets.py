"""Targets as options of a command."""

from collections.abc import Mapping
from typing import Any

import click

from bench.errors import BenchFault
from bench.targets.names import Chosen, choose


class Targets(click.ParamType[Chosen]):
    """Comma-separated targets."""

    name = "TARGET[,TARGET]"

    def __init__(self, exactly: int | None = None) -> None:
        self._exactly = exactly

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Chosen:
        """Return the targets; an unknown one is a usage error that lists those there are."""
        if isinstance(value, Chosen):
            return value
        try:
            found = choose(str(value))
        except BenchFault as fault:
            self.fail(f"{fault}; {fault.hint}", param, ctx)
        if self._exactly is not None and len(found.names) != self._exactly:
            self.fail("name two different targets, the old one and the new one", param, ctx)
        return found


def chosen(options: Mapping[str, Any]) -> Chosen:
    """Return the targets of `--targets` and `--ab` together; BenchFault when two versions share a name."""
    found: Chosen = (options["targets"] or Chosen()) + (options["ab"] or Chosen())
    return found
