"""What a name means in a stack of layers, and what it costs to find out, by the number of layers.

Every container has an overlay of its own, so the first look at a name is the overlay's first: it asks layer
after layer. A second one finds the answer kept (the dentry). The layers' own file system has been asked
before, by the warm-up. The control is a directory that a single layer holds: there only that one is asked.
"""

import random
from collections.abc import Iterable, Mapping

from bench.channel import Channel
from bench.clock import now
from bench.errors import BenchFault
from bench.ladder import climb
from bench.results.model import Parameter  # noqa: TC001 - with its neighbours
from bench.scenarios.repeated import OTHERS, Repeated, prepared
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher
from bench.value import Value
from bench.variant import among
from bench.workloads.stack import EVERY, FILES, ROOT

MIB = 1024 * 1024
DEPTHS: Mapping[Mode, tuple[int, ...]] = {
    "fast": (1, 10, 50, 100),
    "default": (1, 2, 5, 10, 20, 50, 100),
    "rigorous": (1, 2, 5, 10, 20, 50, 100),
}
RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {OTHERS: 6},
    "default": {OTHERS: 8},
    "rigorous": {OTHERS: 20},
}
PLACES = {"every layer": "deep", "one layer": "flat"}
LOOK = f"i=0; while [ $i -lt {FILES} ]; do [ -e {ROOT}/{{folder}}/$i ] || exit 9; i=$((i+1)); done"
NAMES = " ".join(("name", *(f"every-{k}" for k in EVERY)))
ASK = f"cd {ROOT}; cat {NAMES} 2>/dev/null; echo .; echo gone-*; echo box/*; ls merged | wc -l"
FACTS = ("topmost", "whiteout_hides", "opaque_hides", "directories_merge")
PATIENCE = 60.0


class OverlayLookup(Repeated):
    """Seconds of a lookup, and whether the topmost layer's file is found; every depth in a container."""

    name = "overlay-lookup"
    title = "Which layer's file a name means, and the cost of a lookup by the number of layers"
    warmups = 1
    box = Box("lookup-1", 128 * MIB)
    runs = RUNS

    def __init__(self, variants: Iterable[str] = ()) -> None:
        self.targets = among(("container",), variants)

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:  # noqa: ARG002 - one for each depth
        """Look into a stack of every depth, in an order by the run's seed."""
        depths = list(DEPTHS[session.sizes.mode])
        random.Random(f"{session.sizes.seed}/{slot.round}").shuffle(depths)  # noqa: S311 - a schedule is no secret
        for depth in depths:
            with prepared(session.targets[slot.target], Box(f"lookup-{depth}", self.box.memory)) as stack:
                self._look(session, slot, stack, depth)

    def _look(self, session: Session, slot: Slot, launcher: Launcher, depth: int) -> None:
        place = Place(self.name, slot, launcher.prepared)
        with climb(launcher, f"{self.name}-{slot.target}-{slot.round}-{depth}") as running:
            session.sentinels.start()
            found = [value for words in PLACES for value in _costs(running.channel, depth, words)]
            found += _facts(running.channel, depth)
            session.record(place, found, session.sentinels.stop())
            session.listen(slot.target, launcher.prepared, running.channel)


def _costs(channel: Channel, depth: int, words: str) -> list[Value]:
    """Return the seconds of a lookup: the command's, over its number, so the shell's own are in it."""
    params: dict[str, Parameter] = {"layers": depth, "place": words}
    command = LOOK.format(folder=PLACES[words])
    seconds = [_run(channel, command)[0] / FILES for _ in range(2)]
    names = ("first_lookup", "next_lookup")
    return [Value(name, "s", value, params) for name, value in zip(names, seconds, strict=True)]


def _facts(channel: Channel, depth: int) -> list[Value]:
    said = _run(channel, ASK)[1].split()
    return [
        Value(name, "1", float(holds), {"layers": depth})
        for name, holds in zip(FACTS, judged(said, depth), strict=True)
    ]


def judged(said: list[str], depth: int) -> tuple[bool, bool, bool, bool]:
    """Return which of FACTS hold by the words that ASK printed in a stack of `depth` layers."""
    numbers, rest = (said[: said.index(".")], said[said.index(".") + 1 :]) if "." in said else (said, [])
    expected = [depth, *(depth // k * k for k in EVERY if depth >= k)]
    return (
        numbers == [str(one) for one in expected],
        [one for one in rest if one.startswith("gone-")] == [f"gone-{depth}"],
        [one for one in rest if one.startswith("box/")] == [f"box/item-{depth}"],
        rest[-1:] == [str(depth)],
    )


def _run(channel: Channel, command: str) -> tuple[float, str]:
    done = channel.execute(command, now() + PATIENCE)
    if done.status:
        raise BenchFault(
            f"`{command}` failed with status {done.status}: {done.output[-200:]!r}",
            hint="`tare image verify` checks the images",
            kind="failed",
        )
    return done.seconds, done.output
