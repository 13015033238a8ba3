"""What a container stands on, its directory and its cgroups: steps that are the same for all of a kind.

In their words `ID` stands for the name of the instance and `GROUP` for that of its cgroups, and two names
make them the steps of one. So a kind that comes again lies ready as a table of system calls.
"""

# pathlib stays out of the process that forks:
# ruff: noqa: PTH102, PTH103

from __future__ import annotations

import marshal
import os

from runtime.cgroups import doors, tree
from runtime.linux import batch
from runtime.linux.kept import Kept
from runtime.process.ground_table import GROUP, ID, GroundTable, Unsuited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runtime.cgroups.tree import Step

__all__ = ["GROUP", "ID", "Ground", "kind", "ready"]


def kind(make: Iterable[str], steps: Iterable[Step], joined: Iterable[str]) -> bytes:
    """Return directories to make, steps of `cgroups.tree` and v1 cgroups to join, for `ready` to take."""
    return marshal.dumps((list(make), list(map(list, steps)), list(joined)))


class Ground:
    """One kind, and its table once it comes again."""

    __slots__ = ("_joined", "_make", "_steps", "_table", "_tried")

    def __init__(self, wire: bytes) -> None:
        self._make, self._steps, self._joined = marshal.loads(wire)  # noqa: S302 - from our own client
        self._table: GroundTable | None = None
        # A bare process has no directory of its own, and stays where it was started.
        self._tried = not (batch.possible() and self._make)

    def again(self) -> None:
        """Make a table of it, if there can be one."""
        if not self._tried:
            self._tried = True
            try:
                self._table = GroundTable(self._make, self._steps, self._joined)
            except Unsuited:
                return

    def of(self, names: Sequence[str]) -> tuple[list[str], list[list[str]], list[str]]:
        """Return directories, steps and joined cgroups of the one that has these names."""
        steps = [[_named(word, names) for word in step] for step in self._steps]
        return [_named(word, names) for word in self._make], steps, self.joined(names)

    def joined(self, names: Sequence[str]) -> list[str]:
        """Return the v1 cgroups that its process moves itself to."""
        return [_named(word, names) for word in self._joined]

    def enter(self, names: Sequence[str]) -> None:
        """Make everything and move the caller into the v1 cgroups; its working directory may change."""
        if self._table and self._table.run(names):
            return
        self.make(names)  # anew, step by step: it says what fails
        doors.pass_through(self.joined(names))

    def make(self, names: Sequence[str]) -> None:
        """Make directories and cgroups."""
        directories, steps, _ = self.of(names)
        for directory in directories:
            _make(directory)
        tree.make(steps)


_known = Kept(Ground)


def ready(wire: bytes) -> Ground:
    """Return a ground, as `kind` has it."""
    found: Ground = _known.get(wire)
    return found


def _named(word: str, names: Sequence[str]) -> str:
    return word.replace(ID, names[0]).replace(GROUP, names[1])


def _make(directory: str) -> None:
    try:
        os.mkdir(directory, 0o755)
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(directory, mode=0o755, exist_ok=True)
