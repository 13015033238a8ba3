"""The one error that bench raises on purpose."""

from __future__ import annotations

from typing import Literal

Kind = Literal["usage", "host", "corrupt", "missing", "failed", "not-executable", "not-found"]


class BenchFault(Exception):  # noqa: N818 - a fault has a hint and an exit code; the name is public
    """What failed, on which object (one line); `hint` says what to do, `kind` picks the exit code."""

    def __init__(self, text: str, *, hint: str, kind: Kind) -> None:
        super().__init__(text)
        self.hint = hint
        self.kind: Kind = kind


class ImpossibleFigure(BenchFault):
    """A number that cannot be: a defect of Tare, so the run ends instead of going on without the sample."""

    def __init__(self, text: str, *, hint: str) -> None:
        super().__init__(text, hint=hint, kind="failed")
