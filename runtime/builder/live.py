"""Progress on a terminal: what has ended scrolls up, below it one line for each step that is under way."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runtime import environment
from runtime.builder.progress import Progress, piped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COLUMNS = 80  # where nobody knows
_KEPT = 20  # lines of a command's output that its failure shows
_CLEAR = "\x1b[{}A\x1b[J"  # ECMA-48: cursor up, erase below


@dataclass(slots=True)
class _Step:
    text: str
    since: float = field(default_factory=time.monotonic)
    said: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))


class Live(Progress):
    """Redraws its last lines at every event; `write` is given text with the terminal's own commands."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._steps: dict[int, _Step] = {}
        self._drawn = 0

    def note(self, text: str) -> None:
        """Show it above the steps."""
        self._draw(text)

    def begun(self, step: int, text: str) -> None:
        """Add a line."""
        with self._lock:
            self._steps[step] = _Step(text)
        self._draw()

    def cached(self, step: int) -> None:
        """Let the line scroll away."""
        self._ended(step, "cached")

    def done(self, step: int) -> None:
        """Let the line scroll away, with the time that it took."""
        self._ended(step, f"done in {time.monotonic() - self._steps[step].since:.1f} s")

    def failed(self, step: int) -> None:
        """Let the line scroll away, and the end of what its command said."""
        with self._lock:
            ended = self._steps.pop(step)
        self._draw(f"#{step} {ended.text}: failed", *(f"#{step} {line}" for line in ended.said))

    @contextmanager
    def output(self, step: int) -> Iterator[int]:
        """Yield a pipe, whose last line is shown."""

        def say(line: str) -> None:
            with self._lock:
                if step in self._steps:
                    self._steps[step].said.append(_printable(line))
            self._draw()

        with piped(say) as descriptor:
            yield descriptor

    def _ended(self, step: int, how: str) -> None:
        with self._lock:
            ended = self._steps.pop(step)
        self._draw(f"#{step} {ended.text}: {how}")

    def _draw(self, *finished: str) -> None:
        """Write the finished lines in place of the block, and the block again below them."""
        width = _width() - 1
        with self._lock:
            lines = [_line(number, step, width) for number, step in self._steps.items()]
            clear = _CLEAR.format(self._drawn) if self._drawn else ""
            self._write(clear + "".join(f"{line}\n" for line in (*finished, *lines)))
            self._drawn = len(lines)


def _width() -> int:
    """Return the columns of the terminal, as `shutil.get_terminal_size`; COLUMNS is no look-up."""
    given = environment.shown("COLUMNS")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(2).columns or _COLUMNS
    except OSError:
        return _COLUMNS


def _line(number: int, step: _Step, width: int) -> str:
    """Return a step in one line; once its command says something, that has half of it."""
    text = f"#{number} {step.text}"
    if step.said:
        text = f"{text[: width // 2]} | {step.said[-1]}"
    return text[:width]


def _printable(line: str) -> str:
    """Take a command's own control sequences away: they would move what is drawn here."""
    return "".join(letter if letter.isprintable() else " " for letter in line.expandtabs())
