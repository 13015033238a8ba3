"""The failure of one step of a plan."""

from __future__ import annotations


class StepError(OSError):
    """A step failed; `index` is its place in the plan."""

    def __init__(self, index: int, err: OSError) -> None:
        super().__init__(err.errno, err.strerror, err.filename)
        self.index = index
