"""Where runs are stored: found by path, name or id, taken in and removed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bench.errors import BenchFault
from bench.history.entry import Entry  # noqa: TC001 - with its neighbours
from bench.history.index import Index
from bench.history.lock import locked
from bench.history.names import BASELINE, LATEST, LOCK, Names
from bench.results import beside, content, decode
from bench.results.atomic import replace_file


class Shelf:
    """The directory `root` with one JSON file for each run, and names for them in `names/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = Names(root / "names")

    def entries(self) -> list[Entry]:
        """Return every stored run, the oldest first."""
        return Index(self.root).entries()

    def file(self, key: str) -> Path:
        """Return where the run with this key is, or would be."""
        return self.root / f"{key}.json"

    def find(self, reference: str) -> Path:
        """Return the result file that `reference` means.

        A path (with a slash, or of a file that exists), `baseline`, `latest`, a name, an id, or the
        beginning of one id. Raises BenchFault of kind `missing` when it means nothing, `usage` when it is
        the beginning of several.
        """
        if "/" in reference or reference.endswith(".json") or Path(reference).is_file():
            return Path(reference)
        if reference == LATEST:
            return self.newest()
        if self.file(reference).exists():
            return self.file(reference)
        named = self.names.get(reference)
        if named is not None:
            return self._named(reference, named)
        if reference == BASELINE:
            raise _missing("there is no baseline", "`tare baseline set RUN` sets one")
        return self._beginning(reference)

    def newest(self) -> Path:
        """Return the run that was stored last; ids begin with the time, so names sort by it."""
        found = self._files()
        if not found:
            raise _missing(f"no stored run in {self.root}", "`tare run` makes one")
        return found[-1]

    def key_of(self, reference: str) -> str:
        """Return the key of a stored run; a file from elsewhere is taken in. Errors as `find` and `take`."""
        path = self.find(reference)
        if path.parent.resolve() == self.root.resolve() and path.exists():
            return path.stem
        return self.take(path)

    def take(self, path: Path) -> str:
        """Copy a result file here and return its key; the same run twice is one."""
        data = content(path)
        return self.put(decode(data, origin=str(path)).id, data)

    def put(self, identity: str, data: bytes) -> str:
        """Store the bytes of a result file under its id.

        Raises BenchFault of kind `usage` for an id that can't be a file name, or under which another
        content is stored: a result is never overwritten.
        """
        if Path(identity).name != identity or identity.startswith("."):
            raise BenchFault(
                f"{identity!r} can't be the name of a file", hint="this is no id of Tare's", kind="usage"
            )
        place = self.file(identity)
        with suppress(OSError):  # if it can't be, what follows says so better
            self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root, LOCK):
            if place.exists() and place.read_bytes() != data:
                raise BenchFault(
                    f"another run with the id {identity} is stored in {place}",
                    hint=f"if it may go: tare results rm {identity}",
                    kind="usage",
                )
            replace_file(place, data, durable=True)
        return identity

    def names_of(self, key: str) -> list[str]:
        """Return the names that stand for a run."""
        return [name for name, known in self.names.all().items() if known == key]

    def remove(self, key: str) -> list[str]:
        """Remove a run, its journal, its report and its names; returns in words what went."""
        gone = [f"name {name}" for name in self.names_of(key) if self.names.drop(name)]
        for path in (self.file(key), beside(self.file(key)), self.file(key).with_suffix(".html")):
            if path.exists():
                path.unlink()
                gone.append(str(path))
        return gone

    def _files(self) -> list[Path]:
        return sorted(self.root.glob("*.json"))

    def _named(self, name: str, key: str) -> Path:
        if not self.file(key).exists():
            raise _missing(
                f"the run {key}, which '{name}' stands for, is gone",
                f"`tare results list` shows what there is; `tare run --save {name}` gives the name to another"
                if name != BASELINE
                else "`tare baseline set RUN` sets another, `tare baseline clear` forgets it",
            )
        return self.file(key)

    def _beginning(self, reference: str) -> Path:
        found = [path for path in self._files() if reference and path.stem.startswith(reference)]
        if len(found) == 1:
            return found[0]
        if found:
            keys = ", ".join(path.stem for path in found[:4])
            raise BenchFault(
                f"'{reference}' is the beginning of {len(found)} ids: {keys}",
                hint="give more of it",
                kind="usage",
            )
        raise _missing(
            f"there is no run '{reference}': neither a file nor a name nor an id below {self.root}",
            "`tare results list` shows the stored ones",
        )


def _missing(text: str, hint: str) -> BenchFault:
    return BenchFault(text, hint=hint, kind="missing")
