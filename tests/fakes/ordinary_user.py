"""An ordinary user of this host for a test, who has an account and, if wanted, subordinate ids, for a while.

Neither is written to the host's files: each command runs in a mount namespace of its own, in which temporary
files lie over /etc/passwd, /etc/subuid and /etc/subgid. The user gets a copy of the runtime, since a checkout
may be in a home that others can't read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from tests.fakes.busybox_layer import make_layer

UID = 61000
FIRST, COUNT = 200000, 65536
_ROOT = Path(__file__).resolve().parents[2]
_COVER = 'for name in passwd subuid subgid; do mount --bind "$0/$name" /etc/$name; done; exec "$@"'


class User:
    """Runs commands; `place` is his own directory, `code` a copy of the runtime, `search` another PATH."""

    def __init__(self, place: Path, *, ranges: bool) -> None:
        self.base, self.place, self.code = place, place / "home", place / "code"
        self.search: Path | None = None
        self.run_root = self.place / "run"
        self._wrap: list[str] = []
        place.chmod(0o755)
        account = f"tester:x:{UID}:{UID}::{self.place}:/bin/sh\n"
        (place / "passwd").write_text(Path("/etc/passwd").read_text() + account)
        for name in ("subuid", "subgid"):
            (place / name).write_text(f"tester:{FIRST}:{COUNT}\n" if ranges else "")
        shutil.copytree(
            _ROOT / "runtime", self.code / "runtime", ignore=shutil.ignore_patterns("__pycache__")
        )
        for path in (self.place, self.run_root):
            path.mkdir(0o700)
        self.own(self.place)

    def own(self, path: Path) -> None:
        """Give a tree to the user."""
        subprocess.run(["chown", "-RhP", f"{UID}:{UID}", path], check=True)

    def rootfs(self, path: Path) -> Path:
        """Make a small root file system that belongs to the user."""
        self.own(make_layer(path))
        return path

    def packages(self, *names: str) -> None:
        """Let the user import these installed packages too."""
        for name in names:
            spec = find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            shutil.copytree(Path(spec.origin).parent, self.code.joinpath(*name.split(".")))

    def inside(self, *command: str) -> None:
        """Begin each further command of the user with this one, which root runs and which ends in exec."""
        self._wrap = list(command)

    def command(self, *words: str | Path) -> list[str]:
        """Command line by which root runs `words` as the user."""
        drop = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all"]
        return [
            "unshare",
            "--mount",
            *self._wrap,
            "sh",
            "-ec",
            _COVER,
            str(self.base),
            *drop,
            *map(str, words),
        ]

    def python(self, program: str, *words: str | Path) -> list[str]:
        """Command line by which the user runs a Python program that imports the runtime."""
        head = f"import sys; sys.path.insert(0, {str(self.code)!r})\n"
        search = [f"PATH={self.search}"] if self.search else []
        return self.command("env", *search, self.interpreter, "-ISB", "-c", head + program, *words)

    @cached_property
    def interpreter(self) -> str:
        """The one that runs the tests, or the system's where that lies in a home that others can't read."""
        # By way of env: setpriv itself still has root's way with paths.
        command = self.command("env", sys.executable, "-ISc", "pass")
        done = subprocess.run(command, capture_output=True, check=False)
        return sys.executable if done.returncode == 0 else "/usr/bin/python3"

    def oci(self, *words: str | Path) -> list[str]:
        """Command line by which the user runs tare-oci."""
        return self.python("from runtime.oci.main import main\nsys.exit(main())", *words)

    def environment(self) -> dict[str, str]:
        """Environment of the user's commands."""
        return {"HOME": str(self.place), "XDG_RUNTIME_DIR": str(self.run_root), "PATH": os.environ["PATH"]}

    def run(self, command: list[str], *, code: int = 0, cwd: Path | None = None) -> str:
        """Run a command line of this object; returns what it printed, on both streams."""
        # A file, not pipes: a created container keeps its standard streams.
        with (self.base / "output").open("w+") as output:
            done = subprocess.run(
                command, cwd=cwd or self.place, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, timeout=30, check=False,
            )  # fmt: skip
            output.seek(0)
            text = output.read()
        assert done.returncode == code, text
        return text
