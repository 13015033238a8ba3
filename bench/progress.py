"""Shows on standard error how a run goes on.

It draws only when it is called, between samples, and has no refresh thread: a thread that wakes up ten
times a second would take CPU time and locks from what is measured. On a terminal it draws a bar (rich,
loaded then), elsewhere a plain line at every new scenario and every tenth of the plan.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self, TextIO

from bench.clock import MonotonicClock, elapsed_ns
from bench.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from bench.clock import Clock

MINUTE = 60


class Progress(ABC):
    """A context manager around a run; leaving it restores the terminal."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self.stream = stream
        self.pace = Pace()
        self._clock = clock
        self._last = clock.now_ns()

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: B027 - only the bar has something to restore
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""

    def plan(self, labels: Iterable[str]) -> None:
        """Tell the steps to come, one label each, such as "startup vm"."""
        self.pace.plan(labels)

    def expect(self, seconds: Mapping[str, float]) -> None:
        """Tell what a step of each label may take, before any is taken."""
        self.pace.expected.update(seconds)

    def skip(self, label: str) -> None:
        """Tell that one step of `label` is not to come."""
        self.pace.drop(label)

    def begin(self, label: str) -> None:
        """Tell that a step of `label` starts now."""
        self._last = self._clock.now_ns()
        self.show(label)

    def end(self, label: str) -> None:
        """Tell that the step of `label` that began last is over."""
        self.pace.step(label, elapsed_ns(self._last, self._clock.now_ns()))
        self.show(label)

    def note(self, text: str) -> None:
        """Print a line that stays, above any bar."""
        self.stream.write(f"{text}\n")
        self.stream.flush()

    @abstractmethod
    def show(self, label: str) -> None:
        """Draw the present state."""


class Quiet(Progress):
    """Shows nothing but notes."""

    def show(self, label: str) -> None:
        """Draw nothing."""


class Lines(Progress):
    """Plain lines for logs and pipes."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        super().__init__(stream, clock)
        self._shown: tuple[str, int] | None = None

    def show(self, label: str) -> None:
        """Write a line when the scenario (the label's first word) or the tenth of the plan is new."""
        place = label.partition(" ")[0], 10 * self.pace.finished // max(1, self.pace.total)
        if place != self._shown:
            self._shown = place
            self.note(f"{label}: {self.pace.finished} of {self.pace.total}{_rest(self.pace)}")


class Bar(Progress):
    """A bar on a terminal."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        super().__init__(stream, clock)
        self._bar, self._task = _rich_bar(stream)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def show(self, label: str) -> None:
        """Redraw the bar."""
        self._bar.update(
            self._task,
            description=label,
            completed=self.pace.finished,
            total=self.pace.total,
            rest=_rest(self.pace),
        )
        self._bar.refresh()

    def note(self, text: str) -> None:
        """Print above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away and give the cursor back."""
        self._bar.stop()


def progress(*, quiet: bool = False, stream: TextIO | None = None, clock: Clock | None = None) -> Progress:
    """Return the display that suits `stream` (default: standard error): a bar on a terminal, else lines."""
    stream = stream or sys.stderr
    clock = clock or MonotonicClock()
    if quiet:
        return Quiet(stream, clock)
    capable = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return Bar(stream, clock) if capable else Lines(stream, clock)


def _rich_bar(stream: TextIO) -> tuple[RichProgress, TaskID]:
    from rich.console import Console  # noqa: PLC0415 - 0.2 s, and of no use in a pipe
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as RichProgress  # noqa: PLC0415

    bar = RichProgress(
        TextColumn("{task.description:24}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rest]}", markup=False),
        console=Console(file=stream),  # it honours NO_COLOR by itself
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
        transient=True,
    )
    return bar, bar.add_task("", total=None, rest="")


def _rest(pace: Pace) -> str:
    seconds = pace.remaining
    if not seconds or seconds < 1:
        return ""
    if seconds < MINUTE:
        return f", about {seconds:.0f} s left"
    return f", about {seconds / MINUTE:.0f} min left"
