"""What a person sees of a build: each step's beginning, what its command says, and its end."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK = 1 << 16


class Progress:
    """Hears of the steps, from several threads, and keeps it to itself; `step` is a number in the graph."""

    def note(self, text: str) -> None:
        """Hear of something that is no step."""

    def begun(self, step: int, text: str) -> None:
        """Hear that a step's turn has come; `text` names its place and the step."""

    def cached(self, step: int) -> None:
        """Hear that an earlier result stands for it."""

    def done(self, step: int) -> None:
        """Hear that it was made."""

    def failed(self, step: int) -> None:
        """Hear that it could not be made, or was ended with the others."""

    @contextmanager
    def output(self, step: int) -> Iterator[int]:  # noqa: ARG002 - for those that show it
        """Yield the descriptor that the step's command writes to."""
        descriptor = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


class Plain(Progress):
    """Writes lines, each after its step's number: `#3 D:2: RUN make`, `#3 gcc …`, `#3 done in 1.2 s`.

    `say` is called with one line at a time, from any thread.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._since: dict[int, float] = {}

    def note(self, text: str) -> None:
        """Write it."""
        self._say(text)

    def begun(self, step: int, text: str) -> None:
        """Write the step."""
        self._since[step] = time.monotonic()
        self._say(f"#{step} {text}")

    def cached(self, step: int) -> None:
        """Write that nothing is done."""
        self._say(f"#{step} cached")

    def done(self, step: int) -> None:
        """Write how long it took."""
        self._say(f"#{step} done in {time.monotonic() - self._since[step]:.1f} s")

    @contextmanager
    def output(self, step: int) -> Iterator[int]:
        """Yield a pipe whose lines a thread writes."""
        with piped(lambda line: self._say(f"#{step} {line}")) as descriptor:
            yield descriptor


@contextmanager
def piped(say: Callable[[str], None]) -> Iterator[int]:
    """Yield a descriptor; a thread calls `say` for each line, until the last holder has closed it."""
    hear, tell = os.pipe2(os.O_CLOEXEC)
    reader = threading.Thread(target=_copy, args=(hear, say), daemon=True)
    reader.start()
    try:
        yield tell
    finally:
        os.close(tell)
        reader.join()


def _copy(hear: int, say: Callable[[str], None]) -> None:
    # A line may be of any length: one that fills a chunk is written in pieces.
    with os.fdopen(hear, "rb", buffering=0) as pipe:
        rest = b""
        while chunk := pipe.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                say(_shown(line))
            if len(rest) >= _CHUNK:
                say(_shown(rest))
                rest = b""
        if rest:
            say(_shown(rest))


def _shown(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
