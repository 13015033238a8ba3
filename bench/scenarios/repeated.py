"""What most scenarios have in common: boxes prepared for each target, and the targets in turns."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import ClassVar, Generic, TypeVar

from bench.errors import BenchFault, ImpossibleFigure
from bench.schedule import Slot
from bench.session import Session
from bench.sizes import Mode
from bench.target import Box, Launcher, Target
from bench.targets.installed import names
from bench.turns import turns
from bench.variant import among, like

OTHERS = "others"
"""Stands in `runs` for every target that is not named there."""


Ready = TypeVar("Ready")
"""What a target has prepared for its turns."""


class Turns(ABC, Generic[Ready]):
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
    runs: ClassVar[Mapping[Mode, Mapping[str, int]]]

    def __init__(self, variants: Iterable[str] = ()) -> None:
        self.targets = among(names(), variants)

    def counts(self, mode: Mode, targets: Sequence[str]) -> Mapping[str, int]:
        """Return the counted turns of each target."""
        counted = self.runs[mode]
        return {name: counted.get(like(name), counted[OTHERS]) for name in targets}

    def run(self, session: Session) -> None:
        """Prepare what every target needs, then take the turns; what fails is recorded as a failure."""
        with ExitStack() as stack:
            ready: dict[str, Ready] = {}
            for name in self._due(session):
                try:
                    ready[name] = self.prepare(session.targets[name], stack, session.sizes.mode)
                except BenchFault as fault:
                    session.fail_to_prepare(self.name, name, fault)
            for slot in session.slots(self, without=set(session.chosen(self)) - set(ready)):
                try:
                    self.turn(session, slot, ready[slot.target])
                except ImpossibleFigure:
                    raise
                except BenchFault as fault:
                    session.fail(self.name, slot, fault)

    def _due(self, session: Session) -> list[str]:
        """Return the targets that have a turn: what has none would be prepared for nothing."""
        due = {slot.target for slot in turns(self, session.sizes, session.chosen(self))}
        return [name for name in session.chosen(self) if name in due]

    @abstractmethod
    def prepare(self, target: Target, stack: ExitStack, mode: Mode) -> Ready:
        """Prepare what the turns of `target` need, until `stack` is unwound."""

    @abstractmethod
    def turn(self, session: Session, slot: Slot, ready: Ready, /) -> None:
        """Take one turn of one target: start, measure, remove, record."""


class Repeated(Turns[Launcher]):
    """One box for each target."""

    box: ClassVar[Box]

    def asked(self, mode: Mode) -> Box:  # noqa: ARG002 - most ask the same in every mode
        """Return what every target is asked for."""
        return self.box

    def prepare(self, target: Target, stack: ExitStack, mode: Mode) -> Launcher:
        """Prepare the box."""
        return stack.enter_context(prepared(target, self.asked(mode)))


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
