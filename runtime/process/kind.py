"""What all starts of a kind have in common: read, looked up and encoded once.

The client sends it as bytes, the same ones for each start that differs from another in its names alone, so
that nobody builds it anew.
"""

from __future__ import annotations

import marshal

from runtime.linux.kept import Kept
from runtime.process import ground
from runtime.process.program import Program
from runtime.rootfs import assemble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.linux.seccomp import Loadable

_MOST = 16  # programs that are kept of a kind


def wire(launch: dict[str, Any], on: bytes) -> bytes:
    """Return what `ready` takes: how a process is launched, and the ground that it stands on."""
    return marshal.dumps((launch, on))


class Kind:
    """One kind; its tables are made once it comes again."""

    __slots__ = ("_programs", "filter", "ground", "launch", "sequences")

    def __init__(self, wired: bytes) -> None:
        self.launch, on = marshal.loads(wired)  # noqa: S302 - from our own client, of this interpreter
        self.sequences = [assemble.ready(one) for one in self.launch["mounts"]]
        self.ground = ground.ready(on)
        self.filter = _filter(self.launch["seccomp"])
        self._programs: dict[str | None, Program] = {}

    def again(self) -> None:
        """Make tables, where there can be some."""
        for sequence in self.sequences:
            sequence.again()
        self.ground.again()

    def program(self, home: str | None) -> Program:
        """Return what it executes, with this HOME unless it has one; ValueError for a zero byte."""
        found = self._programs.get(home)
        if found is None:
            env: dict[str, str] = dict(self.launch["env"])
            if home is not None:
                env.setdefault("HOME", home)
            if len(self._programs) >= _MOST:
                self._programs.clear()
            found = self._programs[home] = Program(self.launch["args"], env)
        return found


def _filter(program: bytes) -> Loadable | None:
    if not program:
        return None
    from runtime.linux.seccomp import Loadable  # noqa: PLC0415 - bare processes have none

    return Loadable(program)


_known = Kept(Kind)


def ready(wired: bytes) -> Kind:
    """Return a kind, as `wire` has it."""
    found: Kind = _known.get(wired)
    return found
