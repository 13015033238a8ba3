"""What most scenarios have in common: one box prepared for each target, and the targets in turns."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import ClassVar

from bench.errors import BenchFault, ImpossibleFigure
from bench.scenario import Mode, Session
from bench.schedule import Slot
from bench.target import Box, Launcher, Target
from bench.targets.installed import names
from bench.variant import among, like

OTHERS = "others"
"""Stands in `runs` for every target that is not named there."""


class Repeated(ABC):
    """A scenario that asks the same of every target; `runs` are its counted turns by mode and target.

    `variants` are names of versions of targets, which take part wherever their targets do.
    """

    name: str
    title: str
    targets: tuple[str, ...]
    warmups: int = 0
    decisive: str = ""
    at_once: bool = False
    can_be_cold: bool = False
    box: ClassVar[Box]
    runs: ClassVar[Mapping[Mode, Mapping[str, int]]]

    def __init__(self, variants: Iterable[str] = ()) -> None:
        self.targets = among(names(), variants)

    def asked(self, mode: Mode) -> Box:  # noqa: ARG002 - most ask the same in every mode
        """Return what every target is asked for."""
        return self.box

    def counts(self, mode: Mode, targets: Sequence[str]) -> Mapping[str, int]:
        """Return the counted turns of each target."""
        counted = self.runs[mode]
        return {name: counted.get(like(name), counted[OTHERS]) for name in targets}

    def run(self, session: Session) -> None:
        """Prepare the box on every target, then take the turns; what fails is recorded as a failure."""
        with ExitStack() as stack:
            launchers: dict[str, Launcher] = {}
            for name in session.chosen(self):
                try:
                    launchers[name] = stack.enter_context(
                        prepared(session.targets[name], self.asked(session.sizes.mode))
                    )
                except BenchFault as fault:
                    session.fail_to_prepare(self.name, name, fault)
            for slot in session.slots(self, without=set(session.chosen(self)) - set(launchers)):
                try:
                    self.turn(session, slot, launchers[slot.target])
                except ImpossibleFigure:
                    raise
                except BenchFault as fault:
                    session.fail(self.name, slot, fault)

    @abstractmethod
    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Take one turn of one target: start, measure, remove, record."""


@contextmanager
def prepared(target: Target, box: Box) -> Iterator[Launcher]:
    """Prepare `box` on `target`; what the host refuses while it does is a fault too, of kind `host`."""
    with ExitStack() as stack:
        try:
            launcher = stack.enter_context(target.launcher(box))
        except OSError as error:
            raise BenchFault(
                f"preparing {box.workload} for {target.name}: {error.filename or 'the host'}: "
                f"{error.strerror or error}",
                hint="see the path in the message; a full disk: make room, or use another with --root",
                kind="host",
            ) from error
        yield launcher
