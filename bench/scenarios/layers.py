"""N images on one base: what they take on the disk and in the page cache, by the way they are stored.

`layers` are a container's shared layers; the counterfactuals are a flattened copy of each image, and virtual
disks: a full copy of the base disk for each machine, or a clone linked to one base.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import residency
from bench.channel import Channel
from bench.clock import now
from bench.errors import BenchFault, ImpossibleFigure
from bench.ladder import Running, climb
from bench.results.model import Parameter  # noqa: TC001 - with its neighbours
from bench.scenarios.repeated import prepared
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Launcher
from bench.value import Value

MIB = 1024 * 1024
FILES = "find /usr/bin /usr/lib -xdev -type f"
READ_BASE = (
    f"{FILES} -exec cat {{}} + >/dev/null && "
    f"{FILES} -printf '%s\\n' | awk '{{ all += $1 }} END {{ printf \"%d\", all }}'"
)
"""Counted by their sizes: a pipe to a program that counts takes a third more in an emulated guest."""
WRITE_DIFFERENCE = "mkdir -p /usr/share/tare; head -c 1048576 /dev/urandom >/usr/share/tare/unique; sync"
LEAST_BASE = 30 * MIB
READ_PATIENCE = 240.0


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to store N images: the target that runs them and what it is asked for."""

    name: str
    target: str
    box: Box
    own_layer: bool
    """Whether image N has its small difference as a layer; otherwise the instance writes as much itself."""

    def ask(self, index: int) -> Box:
        """Return what instance `index` is asked to run."""
        return replace(self.box, workload=f"layers-{index}" if self.own_layer else "layers-base")


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("layers", "container", Box("layers", 512 * MIB), own_layer=True),
        Layout("flattened", "native", Box("layers", 512 * MIB), own_layer=True),
        Layout("qcow2-full", "vm", Box("layers", 512 * MIB, root="full"), own_layer=False),
        Layout("qcow2-linked", "vm", Box("layers", 512 * MIB, root="linked"), own_layer=False),
    )
}
SIZES: Mapping[Mode, Mapping[str, Sequence[int]]] = {
    "fast": {"container": (1, 2, 4, 8), "native": (1, 2, 4), "vm": (1, 2)},
    "default": {"container": (1, 2, 4, 8, 20), "native": (1, 2, 4), "vm": (1, 2)},
    "rigorous": {"container": (1, 2, 4, 8, 16, 20), "native": (1, 2, 4, 8), "vm": (1, 2, 4)},
}
RUNS: Mapping[Mode, int] = {"fast": 1, "default": 2, "rigorous": 3}


class Layers:
    """Disk by unique blocks and page cache by residency, while N instances read the whole base."""

    name = "layers"
    title = "N images on one base: on the disk and in memory"
    targets = ("container", "native", "vm")
    warmups = 0
    decisive = ""
    at_once = False
    can_be_cold = False

    def counts(self, mode: Mode, targets: Sequence[str]) -> Mapping[str, int]:
        """Return the turns of each layout of a target that takes part."""
        return {name: RUNS[mode] for name, layout in LAYOUTS.items() if layout.target in targets}

    def run(self, session: Session) -> None:
        """Take the layouts in turn; each starts from a page cache that holds nothing of its images."""
        for turn in session.slots(self):
            layout = LAYOUTS[turn.target]
            slot = replace(turn, target=layout.target)
            try:
                self._grow(session, slot, layout, SIZES[session.sizes.mode][layout.target])
            except ImpossibleFigure:
                raise
            except BenchFault as fault:
                session.fail(self.name, slot, fault)

    def _grow(self, session: Session, slot: Slot, layout: Layout, sizes: Sequence[int]) -> None:
        target = session.targets[layout.target]
        with ExitStack() as stack:
            try:
                asked = (layout.ask(index) for index in range(max(sizes)))
                launchers = [stack.enter_context(prepared(target, box)) for box in asked]
            except BenchFault as fault:
                session.fail_to_prepare(self.name, slot.target, fault)
                return
            left = residency.evict(residency.files(_images(launchers)))
            running: list[Running] = []
            for size in sizes:
                session.sentinels.start()
                for index in range(len(running), size):
                    name = f"layers-{layout.name}-{slot.round}-{index}"
                    running.append(stack.enter_context(climb(launchers[index], name)))
                    _settle(layout, running[-1], name)
                values = _figures(layout, launchers[:size], running, left)
                session.record(
                    Place(self.name, slot, launchers[0].prepared), values, session.sentinels.stop()
                )
            session.listen(slot.target, launchers[0].prepared, running[-1].channel)


def _images(launchers: Sequence[Launcher]) -> set[Path]:
    return {path for launcher in launchers for path in launcher.prepared.storage}


def _settle(layout: Layout, running: Running, name: str) -> None:
    """Write the difference where it is no layer, forget what making the disk cached, read the base."""
    if not layout.own_layer:
        _execute(running.channel, WRITE_DIFFERENCE, name)
    residency.evict(residency.files(running.instance.storage))
    read = _execute(running.channel, READ_BASE, name).strip()
    if not read.isdigit() or int(read) < LEAST_BASE:
        raise BenchFault(
            f"{name}: the base that it read is too small: {read!r} bytes",
            hint="`tare image verify` checks the images",
            kind="failed",
        )


def _execute(channel: Channel, command: str, name: str) -> str:
    done = channel.execute(command, now() + READ_PATIENCE)
    if done.status:
        raise BenchFault(
            f"{name}: `{command}` failed with status {done.status}: {done.output[-200:]!r}",
            hint="`tare image verify` checks the images",
            kind="failed",
        )
    return done.output


def _figures(
    layout: Layout, launchers: Sequence[Launcher], running: Sequence[Running], left: int
) -> list[Value]:
    params: dict[str, Parameter] = {"n": len(launchers), "layout": layout.name}
    roots = _images(launchers) | {path for one in running for path in one.instance.storage}
    figures = {
        "disk": residency.allocated(sorted(roots)),
        "page_cache": residency.resident(residency.files(roots)),
        "page_cache_before": left,
    }
    if layout.target == "vm":
        figures["guest_cache"] = sum(_guest_cache(one) for one in running)
    return [Value(metric, "B", figure, params) for metric, figure in figures.items()]


def _guest_cache(running: Running) -> int:
    """Return the bytes of page cache that a guest keeps for itself, by its own /proc/meminfo."""
    line = _execute(running.channel, "grep ^Cached: /proc/meminfo", running.instance.name)
    return int(line.split()[1]) * 1024
