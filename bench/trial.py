"""The protocol of a trial: something that is done with a target's own tools, where no box is the subject.

A build, a distribution, a registry's life: a turn of such a scenario is one take of a trial.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bench.target import Prepared
from bench.value import Value


class Trial(Protocol):
    """What was prepared once, and is then done once a turn."""

    @property
    def prepared(self) -> Prepared:
        """What all takes have in common; `boundary` says in words what a take includes."""

    def take(self) -> Sequence[Value]:
        """Do it, and return what was found; BenchFault when it could not be done."""


Trials = Callable[[str, str], AbstractContextManager[Trial]]
"""Prepares the trial of a scenario on a target, by their names, and releases it at the end."""
