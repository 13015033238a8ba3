"""An OCI runtime as a program, with records and bundles of its own, whose containers share a word."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.busybox_layer import make_layer
from tests.peers.bundle import config

PATIENCE = 60  # seconds for one call
_SETTLE = 2.0  # seconds in which a killed process may still be dying


def executable() -> str:
    """Return the runtime under test: TARE_OCI_RUNTIME, or tare-oci beside this Python."""
    beside = Path(sys.executable).with_name("tare-oci")
    return os.environ.get("TARE_OCI_RUNTIME") or (str(beside) if beside.exists() else "tare-oci")


def settled(true, seconds: float = _SETTLE) -> bool:
    """Whether `true()` comes about within `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class Oci:
    """The runtime under test; skips the test when it can't run a container here at all."""

    def __init__(self, folder: Path) -> None:
        self.program = executable()
        self.folder, self.word = folder, f"tt{os.getpid()}x{time.monotonic_ns() % 10**6}"
        if not shutil.which(self.program):
            pytest.skip(f"{self.program} is not installed")
        self.root = make_layer(folder / "root")
        done = self.call("run", "-b", str(self.bundle("true")), f"{self.word}probe")
        if done.returncode:
            pytest.skip(f"{self.program} can't run a container: {done.stderr.strip()[-200:]}")

    def words(self, *arguments: str) -> list[str]:
        """Return the words of one call."""
        return [self.program, "--root", str(self.folder / "state"), *arguments]

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call the runtime and wait; what it says goes to files, which a container may keep open."""
        with (self.folder / "out").open("w+") as out, (self.folder / "err").open("w+") as err:
            done = subprocess.run(
                self.words(*arguments),
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=PATIENCE,
            )
            out.seek(0), err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())

    def must(self, *arguments: str) -> str:
        """Call the runtime; the test fails unless it exits with 0."""
        done = self.call(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.returncode}: {done.stderr}"
        return done.stdout

    def bundle(self, *args: str, memory: int | None = None, pids: int | None = None) -> Path:
        """Make a bundle that runs `args` (an applet and its arguments)."""
        found = config(self.root, (f"/bin/{args[0]}", *args[1:]))
        limits = {"memory": {"limit": memory} if memory else None, "pids": {"limit": pids} if pids else None}
        found["linux"]["resources"] = {name: value for name, value in limits.items() if value}
        path = self.folder / f"bundle{abs(hash((args, memory, pids)))}"
        path.mkdir(exist_ok=True)
        (path / "config.json").write_text(json.dumps(found))
        return path

    def status(self, name: str) -> str:
        """Return the status that `state` tells."""
        return str(json.loads(self.must("state", name))["status"])

    def pid(self, name: str) -> int:
        """Return the number of the first process."""
        return int(json.loads(self.must("state", name))["pid"])

    def records(self) -> list[str]:
        """Return the names on record."""
        place = self.folder / "state"
        return [path.name for path in place.iterdir()] if place.is_dir() else []
