"""Those whose containers are left idle: each gives a function that starts one more and returns its pid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.container import Spawner
from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.peers.contestants import program, spec, tare_oci
from tests.peers.engines import KEEP_ULIMITS, LIMITED, podman_store
from tests.peers.peer import Missing, discard, probe, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.peers.bundle import Bundle

    Way = Callable[[], AbstractContextManager[Callable[[int], int]]]

SLEEP = ("/bin/sleep", "1000")


def ways(folder: Path, made: Bundle, most: int) -> list[tuple[str, Way]]:
    """Return them by name; `made` is a bundle that sleeps, and nobody is asked for more than `most`."""
    return [
        ("bare", lambda: _bare(made)),
        ("tare-inprocess", lambda: _tare(folder, made)),
        ("tare-engine", lambda: _engine(folder)),
        ("tare-oci", lambda: _oci("tare-oci", tare_oci(), folder, made, most)),
        ("crun", lambda: _oci("crun", program("crun"), folder, made, most)),
        ("runc", lambda: _oci("runc", program("runc"), folder, made, most)),
        ("podman-runc", lambda: _podman(folder / "idle-pr", program("runc"), made)),
        ("podman-tare-oci", lambda: _podman(folder / "idle-pt", tare_oci(), made)),
    ]


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
def _engine(folder: Path) -> Iterator[Callable[[int], int]]:
    """`tare container run -d`: one keeper stands beside all containers."""
    home, tare = scratch(folder, "idle-engine"), Path(sys.executable).with_name("tare")
    if not tare.exists():
        raise Missing(f"{tare} is not there: Tare is not installed in this environment")
    bootstrap(Store(home / "images"), "busybox")
    words, environment = [str(tare), "container"], {**os.environ, "TARE_ROOT": str(home)}

    def call(*args: str) -> str:
        done = subprocess.run([*words, *args], env=environment, check=False, capture_output=True, text=True,
                              timeout=60)  # fmt: skip
        if done.returncode:
            raise Missing(f"{args[0]}: {done.stderr.strip()[-200:]}")
        return done.stdout

    def start(number: int) -> int:
        call("run", "-d", "--name", f"idle{number}", *LIMITED, "busybox", *SLEEP)
        return int(json.loads(call("inspect", f"idle{number}"))[0]["State"]["Pid"])

    try:
        yield start
    finally:
        left = call("ps", "-aq").split()
        if left:
            call("rm", "-f", *left)


@contextmanager
def _oci(name: str, runtime: str, folder: Path, made: Bundle, most: int) -> Iterator[Callable[[int], int]]:
    place = scratch(folder, f"idle-{name}")
    words = [runtime, "--root", f"{place}/root"]

    def start(number: int) -> int:
        file = place / f"{number}.pid"
        probe([*words, "run", "-d", "--pid-file", str(file), "-b", str(made.path), f"{name}-idle{number}"])
        return int(file.read_text())

    try:
        yield start
    finally:
        for number in range(most):
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
