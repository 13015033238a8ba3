"""How fast a box reads and writes files, on a volume and in its own root (an overlay in a container).

fio does the work. It starts slowly, so the time is that between two markers around its work, by the host's
clock. The file in the root is laid out before: what a first write costs is `copy-on-write`'s subject. It lies
elsewhere on the disk in each run, since some parts of a disk are faster than others: were it always at the
same place, all runs of a box would share its luck, and no interval would tell.

The page cache is passed by (direct I/O) where the file systems can; where not, the work is called `buffered`.
One class of work is served from the page cache on purpose: there the path through the kernel is all there is.
So all of the file is read beforehand, since direct writes take it out of the cache, and fio is told to leave
it there (`--invalidate=0`): by itself it drops what it is about to read.
"""

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from bench.channel import Channel
from bench.clock import now
from bench.errors import BenchFault
from bench.ladder import climb
from bench.scenarios.cpu import PINNED
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import VOLUME, Box, Launcher
from bench.value import Value
from bench.variant import among
from bench.workloads.agent import MARK

MIB = 1024 * 1024
FILE = 32
"""MiB of the file that is read and written."""
PLACES = {"volume": VOLUME, "root": "/tmp"}  # noqa: S108 - a bare process has a directory of its own there
APART = 128
"""So many files of the same size are put before it at most, and in at most an eighth of what is free."""
LAY_OUT = (
    "rm -f {path}; most=$(df -Pm {folder} | awk 'END {{ print int($4 / 8 / {size}) }}'); apart={apart}; i=0; "
    "[ $apart -lt $most ] || apart=$most; "
    "while [ $i -lt $apart ] && fallocate -l {size}M {path}.apart$i 2>/dev/null; do i=$((i + 1)); done; "
    "dd if=/dev/zero of={path} bs=1M count={size} conv=fsync 2>&1; "
    "status=$?; rm -f {path}.apart*; [ $status = 0 ]"
)
DIRECT = "dd if={path} of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null"
WARM = "dd if={path} of=/dev/null bs=1M 2>/dev/null && "
FIO = (
    "cd {folder} && {warm}{pinned}fio --name=tare --filename={path} --size={size}M --rw={pattern} "
    "--bs={block} --ioengine=psync --direct={direct} --invalidate={invalidate} --thread --time_based "
    "--runtime={milliseconds}ms --randseed=1 --exec_prerun='{mark} begin' --exec_postrun='{mark} end' "
    "--output-format=json 3>&1"
)
COUNT = r'"total_ios" : ([1-9]\d*)'


@dataclass(frozen=True, slots=True)
class Work:
    """A class of access: fio's pattern and its block size, past the page cache or from it."""

    name: str
    pattern: str
    block: str
    cached: bool = False


WORKS = (
    Work("sequential-read", "read", "1M"),
    Work("sequential-write", "write", "1M"),
    Work("random-read", "randread", "4k"),
    Work("random-write", "randwrite", "4k"),
    Work("page-cache-read", "randread", "4k", cached=True),
)
MILLISECONDS: Mapping[Mode, int] = {"fast": 200, "default": 500, "rigorous": 3000}
RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {"vm": 1, OTHERS: 6},
    "default": {"vm": 2, OTHERS: 16},
    "rigorous": {"vm": 5, OTHERS: 30},
}


class Io(Repeated):
    """Blocks per second of each class of access at each place; a fresh instance for every run."""

    name = "io"
    title = "Reads and writes of files, in sequence and at random, on a volume and in the root"
    decisive = "rate"
    box = Box("io", 512 * MIB, root="linked", volume=True)
    runs = RUNS

    def __init__(self, variants: Iterable[str] = ()) -> None:
        self.targets = among(("native", "container", "vm"), variants)

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Do every class of work at every place, in an order by the run's seed."""
        order = [*product(WORKS, PLACES)]
        random.Random(f"{session.sizes.seed}/{slot.round}").shuffle(order)  # noqa: S311 - a schedule is no secret
        place = Place(self.name, slot, launcher.prepared)
        with climb(launcher, f"{self.name}-{slot.target}-{slot.round}") as running:
            where_on_disk = random.Random(f"{session.sizes.seed}/{slot.target}/{slot.round}")  # noqa: S311
            can = [_laid_out(running.channel, where, where_on_disk.randrange(APART)) for where in PLACES]
            direct = all(can)
            for work, where in order:
                session.sentinels.start()
                past = direct and not work.cached
                rate = perform(running.channel, work, where, MILLISECONDS[session.sizes.mode], direct=past)
                name = work.name if past or work.cached else f"buffered {work.name}"
                value = Value("rate", "1/s", rate, {"work": name, "place": where})
                session.record(place, [value], session.sentinels.stop())
            session.listen(slot.target, launcher.prepared, running.channel)


def _path(place: str) -> str:
    return f"{PLACES[place]}/tare-io-{place}"


def _laid_out(channel: Channel, place: str, apart: int) -> bool:
    """Write the file where the next but `apart` would be; tell whether it is read past the page cache."""
    path = _path(place)
    command = LAY_OUT.format(path=path, folder=PLACES[place], size=FILE, apart=apart)
    done = channel.execute(command, now() + 60)
    if done.status:
        raise BenchFault(
            f"{path} can't be written: {done.output[-200:]!r}",
            hint="`df` tells whether the disk is full",
            kind="failed",
        )
    return not channel.execute(DIRECT.format(path=path), now() + 60).status


def perform(channel: Channel, work: Work, place: str, milliseconds: int, *, direct: bool) -> float:
    """Let fio work for so long and return the blocks per second of the host's clock."""
    path = _path(place)
    command = FIO.format(
        pinned=PINNED, folder=PLACES[place], path=path, size=FILE, pattern=work.pattern, block=work.block,
        warm=WARM.format(path=path) if work.cached else "", invalidate=int(not work.cached),
        direct=int(direct), milliseconds=milliseconds, mark=MARK,
    )  # fmt: skip
    done = channel.between(command, now() + 60 + milliseconds / 50)
    match = re.search(COUNT, done.output)
    if done.status or not match or not done.seconds:
        raise BenchFault(
            f"{work.name} on the {place} gave no number of blocks: status {done.status}, "
            f"output {done.output[-300:]!r}",
            hint="the command is in bench/scenarios/io.py; run it by hand with `tare container run`",
            kind="failed",
        )
    return int(match.group(1)) / done.seconds
