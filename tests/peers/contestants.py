"""Who is compared: the floor, Tare in both forms, and the runtimes that people use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.cgroups import tree
from runtime.cgroups.hierarchy import detect
from runtime.container import ContainerSpec, Resources, Spawner, request
from tests.peers import bundle, floor
from tests.peers.engines import docker, podman
from tests.peers.peer import Missing, Peer, command, discard, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.peers.bundle import Bundle

LIMITS = Resources(memory=bundle.MEMORY, pids=bundle.PIDS)
TRUE = ("/bin/true",)
RECORDS = Path("/run/tare-peers")  # all keep their records below /run, a tmpfs, as they do by default


def contestants(folder: Path, made: Bundle) -> list[Peer]:
    """Return every peer, fastest first; each keeps its state below `folder`."""
    return [
        Peer("floor", "C, resident: the same steps as Tare", lambda: _resident(folder, made)),
        Peer("floor-command", "the same, with a fork and exec of its own", lambda: _floor(folder, made)),
        Peer("tare-inprocess", "Spawner: start, wait, remove", lambda: _tare(folder, made)),
        _bubblewrap(made),
        _oci("crun", [program("crun")], made),
        _oci("tare-oci", [tare_oci()], made),
        _oci("runc", [program("runc")], made),
        podman("podman-runc", program("runc"), folder, made),
        podman("podman-tare-oci", tare_oci(), folder, made),
        docker(folder, made),
    ]


def program(name: str) -> str:
    """Return the absolute path of a program, or the bare name, which then fails as "not installed"."""
    return shutil.which(name) or name


def tare_oci() -> str:
    """Return the `tare-oci` of the environment whose Python runs this."""
    beside = Path(sys.executable).with_name("tare-oci")
    return str(beside) if beside.exists() else program("tare-oci")


def spec(name: str, made: Bundle, args: tuple[str, ...] = TRUE) -> ContainerSpec:
    """Return what Tare starts in process: one layer, no network, the common limits."""
    return ContainerSpec(name, (made.root,), args, resources=LIMITS)


@contextmanager
def _planned(folder: Path, made: Bundle, name: str) -> Iterator[list[str]]:
    place = scratch(folder, name)
    try:
        built = floor.build(place)
    except (OSError, subprocess.CalledProcessError) as err:
        raise Missing(f"it can't be compiled: {err}") from err
    (place / "data/containers").mkdir(parents=True)
    wanted = request.container(spec(name, made), place / "run", place / "data", detect())
    try:
        yield [str(built), str(floor.write_plan(wanted, place / "plan"))]
    finally:
        tree.remove_empty(wanted.message["state"]["parents"])


@contextmanager
def _floor(folder: Path, made: Bundle) -> Iterator[Callable[[], None]]:
    with (
        _planned(folder, made, "floor-command") as words,
        command("floor-command", "", lambda _: words).open() as once,
    ):
        yield once


@contextmanager
def _resident(folder: Path, made: Bundle) -> Iterator[Callable[[], None]]:
    with (
        _planned(folder, made, "floor") as words,
        subprocess.Popen([*words, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as served,
    ):
        assert served.stdin
        assert served.stdout
        ask, answer = served.stdin.fileno(), served.stdout.fileno()

        def once() -> None:
            os.write(ask, b"g")
            status = os.read(answer, 1)
            if status != b"\0":
                raise subprocess.CalledProcessError(status[0] if status else 1, words)

        try:
            yield once
        finally:
            served.stdin.close()  # its end of input ends it


@contextmanager
def _tare(folder: Path, made: Bundle) -> Iterator[Callable[[], None]]:
    numbers = iter(range(1 << 30))
    place = scratch(folder, "tare")
    with discard() as null, Spawner(RECORDS / "tare", place / "data") as spawner:

        def once() -> None:
            wanted = spec(f"t{next(numbers)}", made)
            with spawner.start(wanted, stdin=null, stdout=null, stderr=null) as started:
                code = started.wait().shell_code
            if code:
                raise subprocess.CalledProcessError(code, list(wanted.args))

        yield once


def _oci(name: str, words: list[str], made: Bundle) -> Peer:
    root = RECORDS / name
    what = "run of a bundle: no overlay, all cgroup controllers of the host"
    return command(
        name, what, lambda n: [*words, "--root", str(root), "run", "--bundle", str(made.path), f"{name}-{n}"]
    )


def _bubblewrap(made: Bundle) -> Peer:
    words = [
        program("bwrap"), "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
        "--unshare-cgroup", "--bind", str(made.root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs",
        "/dev/shm", "--die-with-parent", "--hostname", "peer", *TRUE,
    ]  # fmt: skip
    return command("bubblewrap", "no cgroup, no limits, no overlay, no masks", lambda _: words)
