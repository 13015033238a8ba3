"""What is made ready from bytes and kept: what comes a second time may come a thousand times."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MOST = 16  # things that are kept


class Kept:
    """The things that were wanted last, by their wire form; `again` tells each that it comes once more."""

    __slots__ = ("_known", "_make")

    def __init__(self, make: Callable[[bytes], Any]) -> None:
        self._make = make
        self._known: dict[bytes, Any] = {}

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._known)

    def get(self, wire: bytes) -> Any:  # noqa: ANN401 - what `make` returns
        """Return the thing; the one that was not wanted for the longest time makes room for a new one."""
        found = self._known.pop(wire, None)
        if found is not None:
            found.again()
        else:
            found = self._make(wire)
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
        self._known[wire] = found
        return found
