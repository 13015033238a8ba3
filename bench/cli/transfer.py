"""Shows how blobs move: a bar for each on a terminal, a line for each elsewhere, on standard error."""

from __future__ import annotations

import os
import sys
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, TextIO

from runtime.registry.watch import Watch

if TYPE_CHECKING:
    from types import TracebackType

    from runtime.image.digest import Digest


class Transfer(Watch):
    """A context manager around a pull or a push; called from several threads."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._lock = Lock()
        self._tasks: dict[Digest, Any] = {}
        self._bars = None if quiet or not _is_capable(self._stream) else _new_bars(self._stream)

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, digest: Digest, size: int) -> None:
        """Show a new bar."""
        with self._lock:
            if self._bars is not None and digest in self._tasks:  # a mirror could not send it
                self._bars.reset(self._tasks[digest], total=size)
            elif self._bars is not None:
                self._tasks[digest] = self._bars.add_task(digest.short, total=size, state="")

    def advance(self, digest: Digest, count: int) -> None:
        """Move a blob's bar."""
        if self._bars is not None:
            self._bars.advance(self._tasks[digest], count)

    def end(self, digest: Digest, how: str) -> None:
        """Say what became of a blob."""
        if self._bars is not None:
            self._bars.update(self._tasks[digest], state=how)
        elif not self._quiet:
            self.note(f"  {digest.short} {how}")

    def note(self, text: str) -> None:
        """Print a line that stays."""
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
            return
        with self._lock:
            self._stream.write(f"{text}\n")
            self._stream.flush()


def _is_capable(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _new_bars(stream: TextIO) -> Any:  # noqa: ANN401 - rich is imported late
    from rich.console import Console  # noqa: PLC0415 - 0.2 s, and of no use in a pipe
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TextColumn("{task.fields[state]}", markup=False),
        console=Console(file=stream),
    )
