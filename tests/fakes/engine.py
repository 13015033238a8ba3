"""The command line `tare container` with a root of a test's own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARE = [sys.executable, "-c", "from bench.cli.main import main; main()"]


class Engine:
    """`engine("run", …)` is `tare container run …`, and returns what it printed."""

    def __init__(self, home):
        self.home = home
        self.environment = {**os.environ, "TARE_ROOT": str(home)}
        self.prefix = []

    def tare(self, *args, **options):
        """Any `tare` command, to its end."""
        return subprocess.run(
            [*self.prefix, *TARE, *args], cwd=ROOT, env=self.environment, capture_output=True, text=True,
            check=False, timeout=60, **options,
        )  # fmt: skip

    def __call__(self, *args, code=0, **options):
        done = self.tare("container", *args, **options)
        assert done.returncode == code, done.stderr
        return done.stdout

    def fails(self, *args):
        """What a command that must fail says."""
        done = self.tare(*args)
        assert done.returncode, done.stdout
        return done.stderr

    def begin(self, *args, **options):
        """Start a command and return."""
        return subprocess.Popen([*self.prefix, *TARE, *args], cwd=ROOT, env=self.environment, **options)

    def inspect(self, name):
        """Docker's document of one container."""
        return json.loads(self("inspect", name))[0]

    def keeper(self):
        """Pid of the keeper of this root, 0 without one."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(self.home) in words and any(b"engine.keeper" in word for word in words):
                return int(path.name)
        return 0

    def names(self):
        """The names of its containers, read from the disk."""
        place = self.home / "engine/names"
        return sorted(path.name for path in place.iterdir()) if place.exists() else []


@contextlib.contextmanager
def engine(home):
    """An engine whose containers are removed, and whose keeper has ended, afterwards."""
    made = Engine(home)
    yield made
    for name in made.names():
        made("rm", "-f", name)
    until(lambda: not made.keeper())


def until(condition, seconds=15, *, pause=0.05):
    """Wait for something that must happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(pause)
