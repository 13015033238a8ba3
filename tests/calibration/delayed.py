"""A target whose every start takes a known time longer."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.target import Availability, Box, Instance, Kind, Launcher, Prepared, Target


@dataclass(frozen=True)
class DelayedLauncher:
    """Spins for `seconds` before each start: a sleep would end when the kernel likes."""

    inner: Launcher
    seconds: float

    @property
    def prepared(self) -> Prepared:
        """What was prepared for the target itself."""
        return self.inner.prepared

    def start(self, name: str, *, ledger: bool = False) -> Instance:
        """Let the time pass, then start."""
        end = time.monotonic_ns() + round(self.seconds * 1e9)
        while time.monotonic_ns() < end:
            pass
        return self.inner.start(name, ledger=ledger)


@dataclass(frozen=True)
class Delayed:
    """`target` under another name, slower by `seconds`; with 0 it is the same target once more."""

    target: Target
    name: str
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """Say what it is."""
        return f"{self.target.title}, {1e3 * self.seconds:g} ms later"

    @property
    def kind(self) -> Kind:
        """That of the target."""
        return self.target.kind

    def availability(self) -> Availability:
        """That of the target."""
        return self.target.availability()

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Prepare the target."""
        with self.target.launcher(box) as inner:
            yield DelayedLauncher(inner, self.seconds)
