"""How long until a box answers, and how long until nothing of it is left."""

from collections.abc import Mapping

from bench.cold import chill
from bench.ladder import climb
from bench.results.model import Parameter  # noqa: TC001 - with its neighbours
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher
from bench.value import Value

MIB = 1024 * 1024

RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {"native": 12, "container": 12, "vm": 3, "vm-micro": 3, "vm-full": 2, OTHERS: 5},
    "default": {"native": 300, "container": 300, "vm": 7, "vm-micro": 7, "vm-full": 5, OTHERS: 50},
    "rigorous": {"native": 500, "container": 500, "vm": 20, "vm-micro": 20, "vm-full": 12, OTHERS: 200},
}
BOX = Box(workload="agent", memory=512 * MIB)


class Startup(Repeated):
    """The launch ladder of every target, a fresh instance for every sample."""

    name = "startup"
    title = "From the request to the first reply, and from stop to gone"
    warmups = 1
    decisive = "ready"
    at_once = True
    can_be_cold = True
    box = BOX
    runs = RUNS

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Launch, ask, remove."""
        if session.sizes.cold:
            chill(launcher.prepared)
        params: dict[str, Parameter] = {"cold": True} if session.sizes.cold else {}
        session.sentinels.start()
        with climb(launcher, f"startup-{slot.target}-{slot.round}") as running:
            # Not in a run that counts, if there is another: a box that has talked may be removed differently.
            if slot.warmup or slot.target in session.sizes.bounds.get(self.name, {}):
                session.listen(slot.target, launcher.prepared, running.channel)
            teardown = running.remove()
        disturbance = session.sentinels.stop()
        durations = running.ladder.durations() | {"teardown": teardown}
        values = [Value(metric, "s", seconds, params) for metric, seconds in durations.items()]
        session.record(Place(self.name, slot, launcher.prepared), values, disturbance)
