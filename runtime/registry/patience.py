"""Trying again: how often, and after which pause."""

from __future__ import annotations

import random
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from runtime.registry import limits
from runtime.registry.faults import Transient

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

Result = TypeVar("Result")


class Stopped(Exception):  # noqa: N818 - not an error: somebody else failed, or the person pressed Ctrl-C
    """The work was called off."""


class Patience:
    """The attempts of one request: pauses double, a server's Retry-After wins, progress starts anew."""

    def __init__(
        self,
        stop: Event,
        attempts: int = limits.ATTEMPTS,
        longest: float = limits.LONGEST_RETRY_AFTER,
    ) -> None:
        self._stop = stop
        self._attempts = attempts
        self._longest = longest
        self._failed = 0

    def progress(self) -> None:
        """Tell that something arrived, so that the next failure counts as the first."""
        self._failed = 0

    def wait(self, trouble: Transient) -> None:
        """Sleep before the next attempt, or raise the fault if there have been enough."""
        self._failed += 1
        after = trouble.after
        if self._failed >= self._attempts or (after is not None and after > self._longest):
            raise trouble.fault
        pause = min(limits.FIRST_PAUSE * 2 ** (self._failed - 1), limits.LONGEST_PAUSE)
        # Many clients that failed together must not come back together.
        pause *= random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret
        if self._stop.wait(max(pause, after or 0.0)):
            raise Stopped


def persist(action: Callable[[], Result], stop: Event) -> Result:
    """Return what `action` returns, which may raise `Transient` some times before."""
    return endure(action, Patience(stop))


def endure(action: Callable[[], Result], patience: Patience) -> Result:
    """Return what `action` returns as soon as it does, for as long as `patience` lasts."""
    while True:
        try:
            return action()
        except Transient as trouble:
            patience.wait(trouble)


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
