"""The protocol of a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.session import Session
    from bench.sizes import Mode


class Scenario(Protocol):
    """One question, asked of every box where it makes sense."""

    name: str
    title: str
    warmups: int
    """The fewest turns of each target that come first and don't count; more follow until it is warm."""
    decisive: str
    """The metric that tells when a target is warm and when it is known well enough; empty: none does."""
    can_be_cold: bool
    """Whether it makes sense from a page cache that holds nothing of the image."""
    at_once: bool
    """Whether a turn is recorded as a whole: what is recorded in parts may be half there after a crash."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets on which the question makes sense."""

    def counts(self, mode: Mode, targets: Sequence[str]) -> Mapping[str, int]:
        """Return how many counted turns each target (or variant of one) gets."""

    def run(self, session: Session) -> None:
        """Measure and record. A start that fails is recorded as a failure; what was started is removed."""
