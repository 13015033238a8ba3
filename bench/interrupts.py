"""Ctrl-C and SIGTERM, delivered where nothing can be lost.

An exception that strikes between the start of a box and the statement that remembers it, or in the middle of
its removal, would leave the box behind. So starting and removing are shielded: a signal waits until the
shield is lifted or over. Once delivered, further ones are ignored, since the cleaning up is under way.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Interrupts:
    """What has arrived and whether it may strike; a process has one set of handlers, so one of these."""

    shielded: bool = False
    pending: int = 0
    delivered: bool = False

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if not self.delivered:
            self.pending = number
            self.deliver()

    def deliver(self) -> None:
        """Raise what is pending, unless shielded: KeyboardInterrupt, or SystemExit(143) for SIGTERM."""
        if self.pending and not self.shielded and not self.delivered:
            self.delivered = True
            if self.pending == signal.SIGINT:
                raise KeyboardInterrupt
            raise SystemExit(128 + self.pending)


_HERE = Interrupts()


def install(interrupts: Interrupts = _HERE) -> None:
    """Let this process handle SIGINT and SIGTERM in this way. Call it from the main thread."""
    signal.signal(signal.SIGINT, interrupts.receive)
    signal.signal(signal.SIGTERM, interrupts.receive)


@contextmanager
def shield(interrupts: Interrupts = _HERE) -> Iterator[None]:
    """Let signals wait until the shield is lifted, or over without another exception."""
    before, interrupts.shielded = interrupts.shielded, True
    try:
        yield
    finally:
        interrupts.shielded = before
    interrupts.deliver()


@contextmanager
def lifted(interrupts: Interrupts = _HERE) -> Iterator[None]:
    """Inside a shield: let signals strike here, the one that waited first."""
    before, interrupts.shielded = interrupts.shielded, False
    try:
        interrupts.deliver()
        yield
    finally:
        interrupts.shielded = before
