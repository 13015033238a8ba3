"""Whole engines: podman with a runtime of choice, and docker with a daemon of its own."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.peers.bundle import MEMORY, PIDS
from tests.peers.peer import Missing, Peer, command, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.peers.bundle import Bundle

_IMAGE = "localhost/peer:1"
LIMITED = ["--network", "none", "--memory", str(MEMORY), "--pids-limit", str(PIDS)]
# Podman asks for a million of each, more than a process that is itself confined may have.
KEEP_ULIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
_RUN = ["run", "--rm", *LIMITED]
_START = 20.0  # seconds for the daemon to answer
_END = 20.0


@contextmanager
def podman_store(place: Path, runtime: str, made: Bundle) -> Iterator[tuple[list[str], str]]:
    """Give the words that begin a podman command with storage of its own, and the image in it."""
    if not shutil.which("podman"):
        raise Missing("podman is not installed")
    place.mkdir(parents=True)
    words = [
        shutil.which("podman") or "", "--root", f"{place}/root", "--runroot", f"{place}/run",
        "--tmpdir", f"{place}/tmp", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs",
        "--events-backend", "none", "--runtime", runtime,
    ]  # fmt: skip
    try:
        _import([*words, "import", "-", _IMAGE], made)
        yield words, _IMAGE
    finally:
        subprocess.run([*words, "rm", "-fa", "-t", "0"], check=False, capture_output=True, timeout=60)


def podman(name: str, runtime: str, folder: Path, made: Bundle) -> Peer:
    """Return podman with `runtime`, its storage and events apart from everything else."""

    @contextmanager
    def ready() -> Iterator[Callable[[], None]]:
        with podman_store(folder / name, runtime, made) as (words, image):
            peer = command(name, "", lambda _: [*words, *_RUN, *KEEP_ULIMITS, image, "/bin/true"])
            with peer.open() as once:
                yield once

    return Peer(name, "run --rm: image store, conmon, overlay", ready)


def docker(folder: Path, made: Bundle) -> Peer:
    """Return docker, with a daemon that lives as long as the comparison."""

    @contextmanager
    def ready() -> Iterator[Callable[[], None]]:
        missing = [name for name in ("docker", "dockerd") if not shutil.which(name)]
        if missing:
            raise Missing(f"{missing[0]} is not installed")
        place = scratch(folder, "docker")
        words = [shutil.which("docker") or "", "--host", f"unix://{place}/socket"]
        with daemon(place, words):
            _import([*words, "import", "-", _IMAGE], made)
            with command("docker", "", lambda _: [*words, *_RUN, _IMAGE, "/bin/true"]).open() as once:
                yield once

    return Peer("docker", "run --rm: client, daemon, containerd, shim, runc, overlay", ready)


def _import(words: list[str], made: Bundle) -> None:
    with subprocess.Popen(["tar", "-C", str(made.root), "-c", "."], stdout=subprocess.PIPE) as tar:
        done = subprocess.run(words, check=False, stdin=tar.stdout, capture_output=True, timeout=120)
    if done.returncode:
        raise Missing(f"import: {done.stderr.decode(errors='replace').strip()[-200:]}")


@contextmanager
def daemon(place: Path, client: list[str]) -> Iterator[None]:
    """Run a dockerd of its own, with all its state below `place`, to which the words `client` speak."""
    words = [
        "dockerd", "--data-root", f"{place}/data", "--exec-root", f"{place}/exec", "--pidfile",
        f"{place}/pid", "--host", f"unix://{place}/socket", "--bridge", "none", "--iptables=false",
        "--cgroup-parent", "/tare-peers",
    ]  # fmt: skip
    with (
        (place / "log").open("wb") as log,
        subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True) as served,
    ):
        try:
            _await(served, client, place / "log")
            yield
        finally:
            served.terminate()  # it ends its containerd as well
            try:
                served.wait(_END)
            except subprocess.TimeoutExpired:
                served.kill()


def _await(served: subprocess.Popen[bytes], client: list[str], log: Path) -> None:
    deadline = time.monotonic() + _START
    while subprocess.run([*client, "version"], check=False, capture_output=True, timeout=60).returncode:
        if served.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace").strip().splitlines() or ["(silent)"]
            raise Missing(f"dockerd does not answer: {tail[-1][-200:]}")
        time.sleep(0.1)
