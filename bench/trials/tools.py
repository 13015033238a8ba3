"""Commands of Tare's own, run as a user runs them: by another process, on a data root of their own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.errors import BenchFault
from bench.targets.calls import ENVIRONMENT, Calls
from bench.targets.drivers import Drivers
from bench.targets.faults import translated
from runtime.container.scratch import scratch
from runtime.image.store import Store

HOME = Path(__file__).parents[2]
PROGRAM = "from bench.cli.main import main; main()"
EPOCH = "1000000000"
"""SOURCE_DATE_EPOCH of builds whose digests are compared."""


@dataclass(frozen=True)
class Tare:
    """The command line on the data root `root`."""

    drivers: Drivers
    root: Path

    @cached_property
    def store(self) -> Store:
        """The images of that root."""
        return Store(self.root / "images")

    @property
    def words(self) -> tuple[str, ...]:
        """What a command begins with."""
        return (sys.executable, "-c", PROGRAM, "--root", str(self.root))

    def __call__(self, *words: str, **environment: str) -> str:
        """Run `tare WORDS…` and return what it said; BenchFault when it fails."""
        return Calls(self.drivers.spawner, self.root, self.words, self.environment(**environment)).run(
            "tare", *words
        )

    @staticmethod
    def environment(**given: str) -> tuple[str, ...]:
        """Return the environment of a command, with what is given."""
        plain = dict(item.split("=", 1) for item in ENVIRONMENT)
        return tuple(f"{name}={value}" for name, value in {**plain, "PYTHONPATH": str(HOME), **given}.items())


@contextmanager
def tare(drivers: Drivers) -> Iterator[Tare]:
    """Yield the command line on an empty root that is removed at the end."""
    with scratch(drivers.data) as place:
        root = place / "root"
        root.mkdir()
        yield Tare(drivers, root)


def last_digest(said: str) -> str:
    """Return the digest that a command ends its output with; BenchFault without one."""
    words = said.split()
    if not words or not words[-1].startswith("sha256:"):
        raise BenchFault(f"no digest at the end of {said[-200:]!r}", hint="run it by hand", kind="failed")
    return words[-1]


__all__ = ["EPOCH", "HOME", "PROGRAM", "Tare", "last_digest", "tare", "translated"]
