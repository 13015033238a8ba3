"""Builds that were asked for before, word for word, and would change nothing.

Most of a rebuild whose every step is in the cache is to load the builder: 0.2 s. So such a build leaves a
note of all that it depended on, and the next one with the same command and directory only compares. The
variables that it looked up have to have the values that they had, or none again; the names that it used have
to stand for the same images and its steps to have the same results in the cache (another build may have made
one anew), the builder's own code has to have the modes, sizes, inodes and times that it
had, the image's blobs have to be there, and of the context either the same holds, as make and git have it, or
all names, modes, links and contents are equal, which is what a COPY's key is made of. Whatever differs leads
to the ordinary build.

Which variables those are nobody lists: `environment.record` sees every look-up. What children read is no
matter: they are only started where something is not in the cache, and a rebuild that finds all starts none.

A note is only written by a build that found code and context as the note says before it began and after it
ended, and in them nothing is younger than a second: what changes twice within one tick of a file system's
clock can't be told apart. The first build of a context leaves one too: its steps are in the cache by then,
and whoever keeps the note sees to it that names mean what the build took them for. This module imports next
to nothing.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from _blake2 import blake2b

from runtime import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FORMAT = "tare/again/5"
_MOST = 20_000  # files; to look at more takes as long as an ordinary build
_MOST_BYTES = 64 << 20  # of contents, likewise
_CHUNK = 1 << 18
_NOTES = 100
_SETTLED = 1_000_000_000  # nanoseconds
_QUIET = "quiet"  # a word of a silent build's note
_HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
_CODE = [
    f"{_HERE}/{name}" for name in ("runtime/builder", "runtime/image", "runtime/environment.py", "bench/cli")
]

_WHOLE = "="  # in place of variables' names, none of which can be this
_SALT = 16  # bytes

command = ""  # the identity of this process's command line; empty where another program calls it
lookups: environment.Lookups | None = None  # of this process, since before it read its command line


class Unknowable(Exception):  # noqa: N818 - no error: the ordinary build goes on
    """Too much to look at, or something that can't be seen."""


def begin(arguments: list[str]) -> tuple[str, bool] | None:
    """Return what `find` does for this process; where that is nothing, its build may leave a note."""
    global command, lookups  # noqa: PLW0603 - a process has one command line, and one environment
    command = identity(arguments)
    found = find(command, arguments)
    lookups = environment.record() if found is None else None
    return found


def identity(arguments: list[str]) -> str:
    """Return what stands for this command in this directory and account."""
    return _digest([_FORMAT, sys.version, str(os.geteuid()), os.getcwd(), *arguments])  # noqa: PTH109


def _variables(names: Iterable[str], values: Mapping[str, str], salt: str) -> str:
    """Return the digest of variables, present or absent; salted, for they may be secrets."""
    every = set(values) if _WHOLE in names else {*names, *filter(_is_of_c, values)}
    words = [f"{name}={values[name]}" if name in values else name for name in sorted(every)]
    return _digest([salt, *words])


def _is_of_c(name: str) -> bool:
    return name.startswith(environment.OF_C)


def _digest(words: Iterable[str]) -> str:
    return blake2b(os.fsencode("\0".join(words)), digest_size=32).hexdigest()


def find(name: str, arguments: list[str]) -> tuple[str, bool] | None:
    """Return the digest of the image that the noted build of that identity gave, if nothing has changed.

    And whether that build was to be silent.
    """
    store = f"{_data(arguments)}/images"
    try:
        with open(f"{store}/builds/{name}", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            form, digest, said, salt, variables, count, *words = file.read().split("\0")
        asked, (count, *words) = words[: int(count)], words[int(count) :]
        if form != _FORMAT or _variables(asked, os.environ, salt) != variables:
            return None
        blobs, (code, seen, content, count, *words) = words[: int(count)], words[int(count) :]
        names, (made, count, *words) = words[: int(count)], words[int(count) :]
        steps, roots = words[: int(count)], words[int(count) :]
        if not _in_store(store, names) or Seen(_CODE).digest != code:
            return None
        if Seen(steps, contents=True).digest != made:
            return None
        if Seen(roots).digest != seen and not (content and Seen(roots, contents=True).digest == content):
            return None
        return (digest, said == _QUIET) if all(os.path.isfile(blob) for blob in blobs) else None  # noqa: PTH113
    except (OSError, ValueError, Unknowable):
        return None


def _in_store(store: str, names: list[str]) -> bool:
    """Say whether the list of names has all of these entries; none can be a part of anything else in it."""
    with open(f"{store}/index.json", encoding="utf-8") as file:  # noqa: PTH123
        content = file.read()
    return bool(names) and all(name in content for name in names)


def _data(arguments: list[str]) -> str:
    """Return the data root as `Context.at` does; a wrong guess only means that there is no note."""
    root = os.environ.get("TARE_ROOT", "")
    for number, word in enumerate(arguments[:4]):
        if word == "--root":
            root = arguments[number + 1]
        elif word.startswith("--root="):
            root = word.partition("=")[2]
    if root:
        return os.path.abspath(root)  # noqa: PTH100
    if os.geteuid() == 0 and "XDG_DATA_HOME" not in os.environ:
        return "/var/lib/tare"
    return f"{os.environ.get('XDG_DATA_HOME') or os.path.expanduser('~/.local/share')}/tare"  # noqa: PTH111


class Seen:
    """How everything below `roots` looks now; `digest` stands for it.

    With `contents`, what files hold counts in place of inodes, sizes and times. Unknowable if that is too
    much, or if there is something that can't be read.
    """

    def __init__(self, roots: list[str], *, contents: bool = False) -> None:
        self._contents, self._left = contents, _MOST_BYTES
        self._words: list[str] = []
        self._newest = 0
        for root in roots:
            try:
                status = os.stat(root)  # noqa: PTH116
                self._add(root, status)
                if stat.S_ISDIR(status.st_mode):
                    self._walk(root, code=root in _CODE)
                elif not stat.S_ISREG(status.st_mode):
                    raise Unknowable  # a pipe says something else each time
            except FileNotFoundError:
                self._words.append(f"{root} is not there")
            except OSError as err:
                raise Unknowable from err
        self.digest = _digest(self._words)

    def settled(self, now: int) -> bool:
        """Say whether all of it is older than `now` by more than a file system's clock may hide."""
        return self._newest < now - _SETTLED

    def _walk(self, directory: str, *, code: bool) -> None:
        with os.scandir(directory) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if code and entry.name == "__pycache__":
                    continue
                self._add(entry.path, entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    self._walk(entry.path, code=code)

    def _add(self, path: str, status: os.stat_result) -> None:
        if len(self._words) > _MOST:
            raise Unknowable
        self._newest = max(self._newest, status.st_mtime_ns, status.st_ctime_ns)
        self._words += [path, str(status.st_mode)]
        if self._contents:
            self._words.append(self._content(path, status))
        else:
            self._words.append(
                f"{status.st_dev}:{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
            )

    def _content(self, path: str, status: os.stat_result) -> str:
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(path)  # noqa: PTH115
        if not stat.S_ISREG(status.st_mode):
            return ""
        self._left -= status.st_size
        if self._left < 0:
            raise Unknowable
        whole = blake2b(digest_size=32)
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            while chunk := file.read(_CHUNK):
                whole.update(chunk)
        return whole.hexdigest()


def _contents(roots: list[str]) -> str:
    """Return the digest of all contents; empty where there is too much to read each time."""
    try:
        return Seen(roots, contents=True).digest
    except Unknowable:
        return ""


class Note:
    """What a build that begins now would have to find again; `store` is the image store's directory.

    `lookups` are those of this process, `quiet` its build's wish. Unknowable as `Seen` is.
    """

    def __init__(
        self, store: str, roots: list[str], lookups: environment.Lookups, *, quiet: bool = False
    ) -> None:
        self._store, self._roots, self._lookups = store, roots, lookups
        self._said = _QUIET if quiet else ""
        self._began = time.time_ns()
        self._before = self._looked()

    def _looked(self) -> tuple[Seen, Seen]:
        return Seen(_CODE), Seen(self._roots)

    def keep(self, digest: str, blobs: list[str], names: list[str], steps: tuple[list[str], str]) -> None:
        """Write the note, if all is as it was; `blobs` are the files that make up the image.

        `steps` are the files of the cache's entries, and the digest of their contents as the build had them.
        `names` are entries of the store's `index.json`: bases, and the image's own. Whoever holds the lock on
        that file has seen that they mean what they meant for the build.
        """
        try:
            content = _contents(self._roots)
            after = self._looked()
        except Unknowable:
            return
        seen = [one.digest for one in after]
        if seen != [one.digest for one in self._before] or not all(one.settled(self._began) for one in after):
            return
        place = f"{self._store}/builds"
        os.makedirs(place, 0o700, exist_ok=True)  # noqa: PTH103
        words = [_FORMAT, digest, self._said, *self._environment(), str(len(blobs)), *blobs]
        words += [*seen, content, str(len(names)), *names]
        words += [steps[1], str(len(steps[0])), *steps[0]]
        # Not synced: a note that a crash spoils is as good as none.
        draft = f"{place}/.{command}.{os.getpid()}"
        with open(draft, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            file.write("\0".join([*words, *self._roots]))
        os.replace(draft, f"{place}/{command}")  # noqa: PTH105
        _thin(place)

    def _environment(self) -> list[str]:
        """Return a salt, the digest of the variables that were looked up, their number and their names."""
        asked = [_WHOLE] if self._lookups.whole else sorted(self._lookups.names)
        salt = os.urandom(_SALT).hex()
        return [salt, _variables(asked, self._lookups.before, salt), str(len(asked)), *asked]


def _thin(place: str) -> None:
    """Remove the oldest notes: every other command leaves one."""
    with os.scandir(place) as entries:
        notes = sorted(entries, key=lambda entry: entry.stat().st_mtime_ns)
    for entry in notes[:-_NOTES]:
        os.unlink(entry.path)  # noqa: PTH108
