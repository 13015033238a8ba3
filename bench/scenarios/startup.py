"""How long until a box answers, and how long until nothing of it is left."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from bench.errors import BenchFault
from bench.ladder import climb
from bench.scenario import Mode, Place, Session, Value
from bench.schedule import Slot
from bench.target import Box, Launcher

MIB = 1024 * 1024

RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {"native": 10, "container": 10, "vm": 3, "vm-micro": 3, "vm-full": 2},
    "default": {"native": 20, "container": 20, "vm": 7, "vm-micro": 7, "vm-full": 5},
    "rigorous": {"native": 100, "container": 100, "vm": 20, "vm-micro": 20, "vm-full": 12},
}
BOX = Box(workload="agent", memory=512 * MIB)


class Startup:
    """The launch ladder of every target, a fresh instance for every sample."""

    name = "startup"
    title = "From the request to the first reply, and from stop to gone"
    targets = ("native", "container", "vm", "vm-micro", "vm-full")
    warmups = 1

    def counts(self, mode: Mode, targets: Sequence[str]) -> Mapping[str, int]:
        """Return the counted turns of each target."""
        return {name: RUNS[mode].get(name, 5) for name in targets}

    def run(self, session: Session) -> None:
        """Launch, ask, remove; interleaved over the targets."""
        with ExitStack() as stack:
            launchers = {
                name: stack.enter_context(session.targets[name].launcher(BOX))
                for name in session.chosen(self)
            }
            for slot in session.slots(self):
                self._sample(session, slot, launchers[slot.target])

    def _sample(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        session.sentinels.start()
        try:
            with climb(launcher, f"startup-{slot.target}-{slot.round}") as running:
                teardown = running.remove()
        except BenchFault as fault:
            session.fail(self.name, slot, fault)
            return
        disturbance = session.sentinels.stop()
        durations = running.ladder.durations() | {"teardown": teardown}
        values = [Value(metric, "s", seconds) for metric, seconds in durations.items()]
        session.record(Place(self.name, slot, launcher.prepared), values, disturbance)
