"""Whether one image gives the same output in every box: other runtimes, other engines, other kernels.

A box has the same image if its digest is the same, and the same output if it prints what the others print:
digests of every file and link of the image's programs, one that is known beforehand, and a sum of floating
point numbers.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from bench.clock import now
from bench.errors import BenchFault
from bench.ladder import climb
from bench.scenarios.repeated import OTHERS, Repeated
from bench.schedule import Slot
from bench.session import Place, Session
from bench.sizes import Mode
from bench.target import Box, Image, Launcher
from bench.value import fact

MIB = 1024 * 1024
LAST = 5000
EXPECTED = sha256("".join(f"{n}\n" for n in range(1, LAST + 1)).encode()).hexdigest()
PROGRAM = (
    "cd /; find bin usr -type f | sort | xargs sha256sum | sha256sum; find bin usr -type l | sort "
    f"| sha256sum; seq 1 {LAST} | sha256sum; "
    "awk 'BEGIN { for (i = 1; i < 2000; i++) s += (i % 7 - 3) / i; printf \"%.17g\\n\", s }'; uname -r"
)
"""Sines and roots are not in every busybox's awk."""
SAYS = re.compile(r"([0-9a-f]{64}  -\n){3}-?\d+\.\d+\n\S+")
"""Three digests, a number, and the name of a kernel."""
PATIENCE = 120.0
TARGETS = (
    "container", "docker", "podman", "crun", "runc", "gvisor", "lxc", "nspawn", "bwrap", "vm", "vm-micro",
    "uml",
)  # fmt: skip
"""All boxes that start the image itself: a whole Debian has another one, and a bare process no /dev of it."""


RUNS: Mapping[Mode, Mapping[str, int]] = {
    "fast": {OTHERS: 3}, "default": {OTHERS: 6}, "rigorous": {OTHERS: 12},
}  # fmt: skip


@dataclass
class Reference:
    """What the first box of a run printed, and from which image."""

    image: str = ""
    lines: tuple[str, ...] = field(default_factory=tuple)

    def agrees(self, image: Image, lines: tuple[str, ...]) -> bool:
        """Tell whether a box did as the first one did; the first one is the measure."""
        if not self.lines:
            self.image, self.lines = image.digest, lines
        return (image.digest, lines) == (self.image, self.lines)


class Anywhere(Repeated):
    """One program from one image in every box."""

    name = "anywhere"
    title = "One image: the same output in every box and on every kernel"
    at_once = True
    box = Box(workload="agent", memory=256 * MIB)
    runs = RUNS

    def __init__(self) -> None:
        super().__init__()
        self.targets = TARGETS

    def run(self, session: Session) -> None:
        """Begin without a reference."""
        self._reference = Reference()
        super().run(session)

    def turn(self, session: Session, slot: Slot, launcher: Launcher) -> None:
        """Run the program in a fresh box and compare."""
        session.sentinels.start()
        with climb(launcher, f"anywhere-{slot.target}-{slot.round}") as running:
            done = running.channel.execute(PROGRAM, now() + PATIENCE)
        *lines, kernel = said(done.output, slot.target)
        same = self._reference.agrees(launcher.prepared.image, tuple(lines)) and EXPECTED in lines[2]
        values = [fact("same_output", holds=same)]
        if kernel != os.uname().release:  # a host may run the very kernel that its guests are given
            values.append(fact("same_output_elsewhere", holds=same))
        session.record(Place(self.name, slot, launcher.prepared), values, session.sentinels.stop())


def said(output: str, target: str) -> list[str]:
    """Return the lines of the program; BenchFault for any others, such as an error that all boxes print."""
    lines = output.strip().splitlines()
    if not SAYS.fullmatch("\n".join(lines)):
        raise BenchFault(
            f"the program printed something else in {target}: {output[-300:]!r}",
            hint="the program is in bench/scenarios/anywhere.py; run it by hand in that box",
            kind="failed",
        )
    return lines
