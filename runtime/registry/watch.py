"""Whoever wants to see how a transfer goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.image.digest import Digest


class Watch:
    """Sees nothing; a display overrides these. They are called from several threads at once."""

    def begin(self, digest: Digest, size: int) -> None:
        """Tell that a blob of `size` bytes starts to move."""

    def advance(self, digest: Digest, count: int) -> None:
        """Tell that `count` more bytes have moved; negative where some must move again."""

    def end(self, digest: Digest, how: str) -> None:
        """Tell that a blob is where it should be; `how` is "done", "exists" or "mounted"."""

    def note(self, text: str) -> None:
        """Tell a person something, in one line."""
