"""What scenarios have in common whose turns are trials: a target's tools prepared once, used once a turn."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, ClassVar

from bench.errors import BenchFault, ImpossibleFigure
from bench.session import Place, Session
from bench.sizes import Mode

if TYPE_CHECKING:
    from bench.trial import Trial

RUNS: Mapping[Mode, int] = {"fast": 3, "default": 6, "rigorous": 12}
"""Six is the fewest with an interval of 95 %; see `bench.stats.location`."""


class Tried:
    """A scenario of one trial a turn."""

    name: str
    title: str
    targets: tuple[str, ...]
    runs: ClassVar[Mapping[Mode, int]] = RUNS
    warmups: int = 0
    decisive: str = ""
    at_once: bool = True
    can_be_cold: bool = False

    def counts(self, mode: Mode, targets: Sequence[str]) -> Mapping[str, int]:
        """Return the turns of each target."""
        return dict.fromkeys(targets, self.runs[mode])

    def run(self, session: Session) -> None:
        """Prepare every target's trial, then take the turns; what fails is recorded as a failure."""
        with ExitStack() as stack:
            trials: dict[str, Trial] = {}
            for name in session.chosen(self):
                try:
                    with refused():
                        trials[name] = stack.enter_context(session.trials(self.name, name))
                except BenchFault as fault:
                    session.fail_to_prepare(self.name, name, fault)
            for slot in session.slots(self, without=set(session.chosen(self)) - set(trials)):
                session.sentinels.start()
                try:
                    with refused():
                        values = trials[slot.target].take()
                except ImpossibleFigure:
                    raise
                except BenchFault as fault:
                    session.fail(self.name, slot, fault)
                    continue
                place = Place(self.name, slot, trials[slot.target].prepared)
                session.record(place, values, session.sentinels.stop())


@contextmanager
def refused() -> Iterator[None]:
    """Raise what the host refuses as a fault of kind `host`."""
    try:
        yield
    except OSError as error:
        raise BenchFault(
            f"{error.filename or 'the host'}: {error.strerror or error}",
            hint="see the path in the message; a full disk: make room, or use another with --root",
            kind="host",
        ) from error
