"""An ordinary user for a while, with subordinate ids, of whom the host's files learn nothing.

Temporary files lie over /etc/passwd, /etc/subuid and /etc/subgid in a mount namespace. What the user may see
of root's is bound below /mnt, since the way to it may be closed to others.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from bench.errors import BenchFault
from bench.targets.calls import ENVIRONMENT, Calls
from bench.targets.drivers import Drivers
from bench.targets.program import Program

UID = 61000
FIRST, COUNT = 200000, 65536
ROOM = "/mnt"
FILES = ("passwd", "subuid", "subgid")


@dataclass(frozen=True)
class User:
    """Runs commands; `place` is a directory of root's, `place`/home the user's own, seen as /mnt/home."""

    drivers: Drivers
    place: Path

    @classmethod
    def made(cls, drivers: Drivers, place: Path) -> "User":
        """Write the account; BenchFault of kind `host` where there are no subordinate ids to lie over."""
        missing = next((name for name in FILES if not Path("/etc", name).exists()), "")
        if missing or Program("newuidmap", "uidmap").missing:
            raise BenchFault(
                f"no ordinary user can be made: {missing or 'newuidmap'} is not there",
                hint="apt-get install uidmap",
                kind="host",
            )
        user = cls(drivers, place)
        account = f"tare-user:x:{UID}:{UID}::{ROOM}/home:/bin/sh\n"
        (place / "passwd").write_text(Path("/etc/passwd").read_text() + account)
        for name in ("subuid", "subgid"):
            (place / name).write_text(f"tare-user:{FIRST}:{COUNT}\n")
        (place / "home/run").mkdir(parents=True)
        user.own()
        return user

    def own(self) -> None:
        """Give all that is in the home to the user."""
        subprocess.run(["chown", "-RhP", f"{UID}:{UID}", self.place / "home"], check=True)

    def python(self) -> tuple[str, ...]:
        """Return the interpreter as the user can run it."""
        real = Path(sys.executable).resolve()
        base = Path(sys.base_prefix)
        return (str(real) if base == Path("/usr") else f"{ROOM}/python/{real.relative_to(base)}",)

    def run(self, name: str, *words: str, binds: Mapping[str, Path] | None = None, **given: str) -> str:
        """Run `words` as the user, with `binds` (names below /mnt to paths); BenchFault when they fail."""
        environment = {"HOME": f"{ROOM}/home", "XDG_RUNTIME_DIR": f"{ROOM}/home/run", **given}
        pairs = [f"{key}={value}" for key, value in environment.items()]
        script = "\n".join(["set -e", f"mount -t tmpfs -o mode=755 tare {ROOM}", *self._binds(binds or {})])
        drop = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all", "env")
        calls = Calls(self.drivers.spawner, self.place, env=ENVIRONMENT)
        unshare = Program("unshare", "util-linux").path
        return calls.run(
            name, unshare, "--mount", "--propagation", "private", "/bin/sh", "-c", f'{script}\nexec "$@"',
            "sh", *drop, *pairs, *words,
        )  # fmt: skip

    def _binds(self, more: Mapping[str, Path]) -> list[str]:
        own = {"home": self.place / "home", **_code(), **more}
        lines = [f"mount --bind {quote(str(self.place / name))} /etc/{name}" for name in FILES]
        for name, path in own.items():
            goal = f"{ROOM}/{name}"
            lines.append(f"mkdir -p {goal}" if path.is_dir() else f"touch {goal}")
            lines.append(f"mount --bind {quote(str(path))} {goal}")
        return lines


def search() -> str:
    """Return PYTHONPATH as the user has it."""
    return os.pathsep.join(f"{ROOM}/{name}" for name in _code() if name != "python")


def _code() -> dict[str, Path]:
    """Return what a Python of the user's imports from, by names below /mnt."""
    home = Path(__file__).parents[2]
    packages = [Path(entry) for entry in sys.path if entry.endswith("-packages") and Path(entry).is_dir()]
    found = {"code": home, **{f"packages{number}": path for number, path in enumerate(packages)}}
    return found if Path(sys.base_prefix) == Path("/usr") else {**found, "python": Path(sys.base_prefix)}
