"""A clock that tests move by hand: a sleep of 0.1 s takes exactly 0.1 s."""

from __future__ import annotations


class FakeClock:
    """Starts at zero; only `sleep` and `advance` move it."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        """Return the nanoseconds that tests let pass."""
        return self.ns

    def sleep(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self.ns += round(seconds * 1e9)
