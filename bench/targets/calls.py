"""Commands of a runtime's own client, run through the spawner; what they say is kept."""

import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.clock import now
from bench.errors import BenchFault
from bench.targets.faults import translated
from bench.targets.program import PLACES, tail
from runtime.container import NativeSpec, Spawner
from runtime.container.started import Started

PATIENCE = 60.0
"""Seconds in which a client has to return; pulling or loading an image is given longer."""
NUMBERS = count()
ENVIRONMENT = (f"PATH={PLACES}", "HOME=/root", "LC_ALL=C.UTF-8")


@dataclass(frozen=True)
class Calls:
    """Runs `words` and more; `place` is a directory for what they say."""

    spawner: Spawner
    place: Path
    words: tuple[str, ...] = ()
    env: tuple[str, ...] = ENVIRONMENT

    def begin(self, name: str, *words: str, stdio: int | None = None) -> "Call":
        """Start a command and return at once; `stdio` becomes its standard input and output."""
        log = self.place / f"{name}-{next(NUMBERS)}.log"
        spec = NativeSpec(id=f"call-{os.getpid()}-{next(NUMBERS)}", args=(*self.words, *words), env=self.env)
        with log.open("wb") as said, Path(os.devnull).open("rb") as nothing, translated():
            come, go = (nothing.fileno(), said.fileno()) if stdio is None else (stdio, stdio)
            started = self.spawner.start_native(spec, stdin=come, stdout=go, stderr=said.fileno())
        return Call(spec.args, started, log)

    def run(self, name: str, *words: str, patience: float = PATIENCE) -> str:
        """Run a command to its end and return what it said; BenchFault with its last words if it fails."""
        call = self.begin(name, *words)
        try:
            call.finish(patience)
            return call.said
        finally:
            call.drop()


@dataclass(frozen=True)
class Call:
    """A command on its way."""

    words: tuple[str, ...]
    started: Started
    log: Path

    @property
    def said(self) -> str:
        """What it has written so far."""
        try:
            return self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def finish(self, patience: float = PATIENCE) -> None:
        """Wait for its end; BenchFault unless that is a good one."""
        begun = now()
        try:
            with translated():
                status = self.started.wait(patience).shell_code
        except TimeoutError as late:
            raise self.fault(f"does not return within {now() - begun:.0f} s") from late
        if status:
            raise self.fault(f"ended with status {status}")

    def fault(self, what: str) -> BenchFault:
        """Return the fault of this command, with its last words."""
        return BenchFault(
            f"`{' '.join(self.words)}` {what}: {tail(self.said)}",
            hint="run the command by hand; `tare list targets` tells what is installed",
            kind="failed",
        )

    def drop(self) -> None:
        """End it if it still runs, and forget it and what it said."""
        with translated():
            self.started.remove()
        self.log.unlink(missing_ok=True)
