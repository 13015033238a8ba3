"""Names for stored runs: a small file each, whose content is the key of the run."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.errors import BenchFault
from bench.history.lock import locked
from bench.results.atomic import replace_file

if TYPE_CHECKING:
    from pathlib import Path

BASELINE = "baseline"
LATEST = "latest"
LOCK = ".lock"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_IDENTITY = re.compile(r"\d{8}T\d{6}Z(-.*)?")


class Names:
    """The names in the directory `root`; that of the baseline is one of them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def all(self) -> dict[str, str]:
        """Return the keys of runs by name, the baseline's included."""
        if not self.root.is_dir():
            return {}
        paths = (path for path in sorted(self.root.iterdir()) if _NAME.fullmatch(path.name))
        return {path.name: key for path in paths if (key := self.get(path.name))}

    def get(self, name: str) -> str | None:
        """Return the key of the run that `name` stands for; None when there is no such name."""
        if not _NAME.fullmatch(name):
            return None
        try:
            return (self.root / name).read_text().strip() or None
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, name: str, key: str) -> str | None:
        """Let `name` stand for the run `key`; returns the one before. Errors as `replace_file`."""
        with suppress(OSError):  # if it can't be, what follows says so better
            self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root, LOCK):
            before = self.get(name)
            replace_file(self.root / name, f"{key}\n".encode(), durable=True)
        return before

    def drop(self, name: str) -> bool:
        """Forget a name; returns whether there was one."""
        try:
            (self.root / name).unlink()
        except FileNotFoundError:
            return False
        return True


def check(name: str) -> str:
    """Return `name` if a run can be saved as it; raises BenchFault of kind `usage`."""
    if name in {BASELINE, LATEST}:
        how = "`tare baseline set RUN` sets the baseline" if name == BASELINE else "it is the newest run"
        raise _refused(f"'{name}' has a meaning of its own", f"choose another name: {how}")
    if not _NAME.fullmatch(name) or name.endswith(".json"):
        raise _refused(
            f"{name!r} can't name a run",
            "use letters, digits, '.', '_' and '-', at most 64, a letter or digit first, no .json at the end",
        )
    if _IDENTITY.fullmatch(name):
        raise _refused(f"'{name}' looks like the id of a run", "choose a name that does not begin as a time")
    return name


def _refused(text: str, hint: str) -> BenchFault:
    return BenchFault(text, hint=hint, kind="usage")
