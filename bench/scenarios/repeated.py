"""What most scenarios have in common: one box prepared for each target, and the targets in turns."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import ClassVar

from bench.errors import BenchFault, ImpossibleFigure
from bench.scenario import Mode, Session
from bench.schedule import Slot
from bench.target import Box, Launcher

EVERYWHERE = ("native", "container", "vm", "vm-micro", "vm-full")
FOR_OTHERS = 2


class Repeated(ABC):
    """A scenario that asks the same of every target; `runs` are its counted turns by mode and target.

    A target that `runs` does not know gets two.
    """

    name: str
    title: str
    targets: tuple[str, ...] = EVERYWHERE
    warmups: int = 0
    box: ClassVar[Box]
    runs: ClassVar[Mapping[Mode, Mapping[str, int]]]

    def counts(self, mode: Mode, targets: Sequence[str]) -> Mapping[str, int]:
        """Return the counted turns of each target."""
        return {name: self.runs[mode].get(name, FOR_OTHERS) for name in targets}

    def run(self, session: Session) -> None:
        """Prepare the box on every target, then take the turns; one that fails is recorded as a failure."""
        with ExitStack() as stack:
            launchers = {
                name: stack.enter_context(session.targets[name].launcher(self.box))
                for name in session.chosen(self)
            }
            for slot in session.slots(self):
                try:
                    self.turn(session, slot, launchers[slot.target])
                except ImpossibleFigure:
                    raise
                except BenchFault as fault:
                    session.fail(self.name, slot, fault)

    @abstractmethod
    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Take one turn of one target: start, measure, remove, record."""
