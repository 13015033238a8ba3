"""What one more idle container costs in memory: its processes, and whatever helper stays beside each.

Figures are of /proc/PID/smaps_rollup (proc(5)): USS is what would be freed with the process, PSS adds its
share of what it shares. A helper is the parent of a container's first process, unless that is process 1 or
we. A helper that all containers share (Tare's spawner) counts by its growth, like everything here:
(total with MANY - total with FEW) / (MANY - FEW); FEW is two, since what only one process maps is private
to it. What a daemon above the helper grows by is not in it.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.container import Spawner
from tests.peers.contestants import program, spec, tare_oci
from tests.peers.engines import KEEP_ULIMITS, LIMITED, podman_store
from tests.peers.peer import Missing, discard, probe, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.peers.bundle import Bundle

FEW, MANY = 2, 12
SLEEP = ("/bin/sleep", "1000")


@dataclass(frozen=True)
class Idle:
    """Bytes for one more container; `helper_uss` is the part of `uss` that is not the container's own."""

    name: str
    pss: float = 0.0
    uss: float = 0.0
    helper_uss: float = 0.0
    missing: str = ""


def measure(folder: Path, made: Bundle) -> list[Idle]:
    """Measure everyone in turn; `made` is a bundle that sleeps."""
    ways: list[tuple[str, Callable[[], AbstractContextManager[Callable[[int], int]]]]] = [
        ("bare", lambda: _bare(made)),
        ("tare-inprocess", lambda: _tare(folder, made)),
        ("tare-oci", lambda: _oci("tare-oci", tare_oci(), folder, made)),
        ("crun", lambda: _oci("crun", program("crun"), folder, made)),
        ("runc", lambda: _oci("runc", program("runc"), folder, made)),
        ("podman-runc", lambda: _podman(folder / "idle-pr", program("runc"), made)),
        ("podman-tare-oci", lambda: _podman(folder / "idle-pt", tare_oci(), made)),
    ]
    return [_one(name, way) for name, way in ways]


def _one(name: str, way: Callable[[], AbstractContextManager[Callable[[int], int]]]) -> Idle:
    try:
        with way() as start:
            pids = [start(number) for number in range(FEW)]
            first, first_helpers = _settled(pids), _helpers(pids)
            pids += [start(number) for number in range(FEW, MANY)]
            last, last_helpers = _settled(pids), _helpers(pids)
    except (Missing, OSError, subprocess.SubprocessError) as err:
        return Idle(name, missing=str(err))
    pss, uss = ((after - before) / (MANY - FEW) for before, after in zip(first, last, strict=True))
    return Idle(name, pss, uss, (last_helpers - first_helpers) / (MANY - FEW))


def _settled(pids: list[int]) -> tuple[int, int]:
    time.sleep(0.2)  # for the last program to have come to its sleep
    everyone = [*pids, *_parents(pids)]
    return _sum(everyone, "Pss:"), _sum(everyone, "Private_Clean:", "Private_Dirty:")


def _helpers(pids: list[int]) -> int:
    return _sum(_parents(pids), "Private_Clean:", "Private_Dirty:")


def _parents(pids: list[int]) -> set[int]:
    texts = [Path(f"/proc/{pid}/stat").read_text(encoding="latin-1") for pid in pids]
    return {int(text.rpartition(")")[2].split()[1]) for text in texts} - {1, os.getpid(), *pids}


def _sum(pids: list[int] | set[int], *names: str) -> int:
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith(names))
    return total * 1024


@contextmanager
def _bare(made: Bundle) -> Iterator[Callable[[int], int]]:
    """Start the same program with a fork and an exec."""
    with ExitStack() as ended:

        def start(_number: int) -> int:
            served = ended.enter_context(subprocess.Popen([f"{made.root}{SLEEP[0]}", *SLEEP[1:]]))
            ended.callback(served.kill)
            return served.pid

        yield start


@contextmanager
def _tare(folder: Path, made: Bundle) -> Iterator[Callable[[int], int]]:
    place = scratch(folder, "idle-tare")
    with discard() as null, Spawner(place / "run", place / "data") as spawner:
        yield (
            lambda number: (
                spawner.start(spec(f"i{number}", made, SLEEP), stdin=null, stdout=null, stderr=null).pid
            )
        )


@contextmanager
def _oci(name: str, runtime: str, folder: Path, made: Bundle) -> Iterator[Callable[[int], int]]:
    place = scratch(folder, f"idle-{name}")
    words = [runtime, "--root", f"{place}/root"]

    def start(number: int) -> int:
        file = place / f"{number}.pid"
        probe([*words, "run", "-d", "--pid-file", str(file), "-b", str(made.path), f"{name}-idle{number}"])
        return int(file.read_text())

    try:
        yield start
    finally:
        for number in range(MANY):
            subprocess.run([*words, "delete", "-f", f"{name}-idle{number}"], check=False,
                           capture_output=True, timeout=60)  # fmt: skip


@contextmanager
def _podman(place: Path, runtime: str, made: Bundle) -> Iterator[Callable[[int], int]]:
    with podman_store(place, runtime, made) as (words, image):

        def start(number: int) -> int:
            file = place / f"{number}.pid"
            probe([*words, "run", "-d", *LIMITED, *KEEP_ULIMITS, "--pidfile", str(file), image, *SLEEP])
            return int(file.read_text())

        yield start
