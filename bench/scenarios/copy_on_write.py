"""When and what an overlay copies: reading, the first write of one byte, the second, by the file's size.

The control is a file on a volume, which is no part of the overlay. Times are those of a whole command (a
shell that opens the file and writes a byte), so what starts it is in each of them, whatever the size. Memory
for the copy is at hand before.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from bench import headroom, residency
from bench.channel import Channel
from bench.clock import now
from bench.errors import BenchFault
from bench.ladder import climb
from bench.results.model import Parameter  # noqa: TC001 - with its neighbours
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import VOLUME, Box, Launcher
from bench.value import Value
from bench.variant import among

KIB, MIB = 1024, 1024 * 1024
SMALL = (4 * KIB, 64 * KIB, MIB, 16 * MIB, 64 * MIB)
SIZES: Mapping[Mode, tuple[int, ...]] = {
    "fast": SMALL,
    "default": (*SMALL, 256 * MIB, 1024 * MIB),
    "rigorous": (*SMALL, 256 * MIB, 1024 * MIB),
}
RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {OTHERS: 6},
    "default": {OTHERS: 6},
    "rigorous": {OTHERS: 12},
}
PLACES = {"overlay": "/data", "volume": VOLUME}
READ = "cat {file} >/dev/null"
LEND = f"[ -e {VOLUME}/{{size}} ] || {{{{ cp /data/{{size}} {VOLUME}/; sync; }}}}"
WRITE = "printf x 1<>{file}"
PATIENCE = 120.0


class CopyOnWrite(Repeated):
    """Bytes in the writable layer and seconds of each write; every size in each fresh container."""

    name = "copy-on-write"
    title = "What a first and a second write cost by the file's size, and what they copy"
    warmups = 1
    at_once = True
    runs = RUNS

    def __init__(self, variants: Iterable[str] = ()) -> None:
        self.targets = among(("container",), variants)

    def asked(self, mode: Mode) -> Box:
        """Ask for the image whose largest file this mode needs, and memory to have it cached twice."""
        return Box(f"files-{max(SIZES[mode]) // MIB}", 3 * max(SIZES[mode]) + 256 * MIB, volume=True)

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Read and write every file in a fresh container, in an order by the run's seed."""
        sizes = list(SIZES[session.sizes.mode])
        random.Random(f"{session.sizes.seed}/{slot.round}").shuffle(sizes)  # noqa: S311 - a schedule is no secret
        place = Place(self.name, slot, launcher.prepared)
        with climb(launcher, f"{self.name}-{slot.target}-{slot.round}") as running:
            found = []
            session.sentinels.start()
            for size in sizes:
                found += _copied(running.channel, running.instance.storage, size)
                found += _control(running.channel, size)
            session.record(place, found, session.sentinels.stop())
            session.listen(slot.target, launcher.prepared, running.channel)


def _copied(channel: Channel, upper: Sequence[Path], size: int) -> list[Value]:
    file = f"{PLACES['overlay']}/{size}"
    held = [_held(upper)]
    _run(channel, READ.format(file=file))  # which has it cached too: a first write reads it
    held.append(_held(upper))
    headroom.provide(size)
    seconds = []
    for _ in range(2):
        seconds.append(_run(channel, WRITE.format(file=file)))
        held.append(_held(upper))
    grown = [after - before for before, after in pairwise(held)]
    names = ("copied_by_reading", "copied_by_first_write", "copied_by_second_write")
    copied = [Value(name, "B", size_, {"size": size}) for name, size_ in zip(names, grown, strict=True)]
    return [*copied, *_times(seconds, size, "overlay")]


def _control(channel: Channel, size: int) -> list[Value]:
    _run(channel, LEND.format(size=size))
    file = f"{PLACES['volume']}/{size}"
    return _times([_run(channel, WRITE.format(file=file)) for _ in range(2)], size, "volume")


def _times(seconds: list[float], size: int, place: str) -> list[Value]:
    params: dict[str, Parameter] = {"size": size, "place": place}
    names = ("first_write", "second_write")
    return [Value(name, "s", value, params) for name, value in zip(names, seconds, strict=True)]


def _held(upper: Sequence[Path]) -> int:
    """Return the bytes that regular files of the writable layer take on the disk."""
    return sum(file.blocks * residency.BLOCK for file in residency.files(upper))


def _run(channel: Channel, command: str) -> float:
    done = channel.execute(command, now() + PATIENCE)
    if done.status:
        raise BenchFault(
            f"`{command}` failed with status {done.status}: {done.output[-200:]!r}",
            hint="`tare image verify` checks the images, `df` tells whether the disk is full",
            kind="failed",
        )
    return done.seconds
