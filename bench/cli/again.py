"""Builds that were asked for before, word for word, and would change nothing.

Most of a rebuild whose every step is in the cache is to load the builder: 0.25 s. So such a build leaves a
note of all that it depended on, and the next one with the same command, directory and environment only
compares: of every file of the context, of the store's names and of the builder's own code the mode, size,
inode and times, as make and git do; and whether the image's blobs are there. Whatever differs leads to the
ordinary build.

A note is only written by a build that found all as the note says before it began and after it ended, and in
which nothing is younger than a second: what changes twice within one tick of a file system's clock can't be
told apart. This module imports next to nothing.
"""

from __future__ import annotations

import os
import sys
import time
from _blake2 import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_FORMAT = "tare/again/1"
_MOST = 20_000  # files; to look at more takes as long as an ordinary build
_NOTES = 100
_SETTLED = 1_000_000_000  # nanoseconds
_HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
_CODE = [f"{_HERE}/{name}" for name in ("runtime/builder", "runtime/image", "bench/cli")]

command = ""  # the identity of this process's command line; empty where another program calls it


class Unknowable(Exception):  # noqa: N818 - no error: the ordinary build goes on
    """Too much to look at, or something that can't be seen."""


def identity(arguments: list[str]) -> str:
    """Return what stands for this command in this directory, environment and account."""
    words = [_FORMAT, sys.version, str(os.geteuid()), os.getcwd(), *arguments, ""]  # noqa: PTH109
    words += [f"{name}={value}" for name, value in sorted(os.environ.items())]
    return _digest(words)


def _digest(words: Iterable[str]) -> str:
    return blake2b(os.fsencode("\0".join(words)), digest_size=32).hexdigest()


def find(name: str, arguments: list[str]) -> str | None:
    """Return the digest of the image that the noted build of that identity gave, if nothing has changed."""
    place = f"{_data(arguments)}/images/builds/{name}"
    try:
        with open(place, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            form, digest, seen, count, *paths = file.read().split("\0")
        blobs, roots = paths[: int(count)], paths[int(count) :]
        if form != _FORMAT or Seen(roots).digest != seen:
            return None
        return digest if all(os.path.isfile(blob) for blob in blobs) else None  # noqa: PTH113
    except (OSError, ValueError, Unknowable):
        return None


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
    """How everything below `roots` looks now, and Tare's own code; `digest` stands for it.

    Unknowable if that is too much, or if there is something that can't be read.
    """

    def __init__(self, roots: list[str]) -> None:
        self.roots = roots
        self._words: list[str] = []
        self._newest = 0
        for root in (*roots, *_CODE):
            try:
                self._add(root, os.stat(root))  # noqa: PTH116
                if os.path.isdir(root):  # noqa: PTH112
                    self._walk(root, code=root in _CODE)
            except OSError as err:
                if root not in roots or not isinstance(err, FileNotFoundError):
                    raise Unknowable from err
                self._words.append(f"{root} is not there")
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
        self._words.append(
            f"{path} {status.st_dev}:{status.st_ino} {status.st_mode} {status.st_size} "
            f"{status.st_mtime_ns} {status.st_ctime_ns}"
        )


class Note:
    """What a build that begins now would have to find again; `store` is the image store's directory."""

    def __init__(self, store: str, roots: list[str]) -> None:
        self._store = store
        self._began = time.time_ns()
        self._seen = Seen([f"{store}/index.json", *roots])

    def keep(self, digest: str, blobs: list[str]) -> None:
        """Write the note, if all is as it was; `blobs` are the files that make up the image."""
        seen = Seen(self._seen.roots)
        if seen.digest != self._seen.digest or not seen.settled(self._began):
            return
        place = f"{self._store}/builds"
        os.makedirs(place, 0o700, exist_ok=True)  # noqa: PTH103
        words = [_FORMAT, digest, seen.digest, str(len(blobs)), *blobs, *seen.roots]
        # Not synced: a note that a crash spoils is as good as none.
        draft = f"{place}/.{command}.{os.getpid()}"
        with open(draft, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            file.write("\0".join(words))
        os.replace(draft, f"{place}/{command}")  # noqa: PTH105
        _thin(place)


def _thin(place: str) -> None:
    """Remove the oldest notes: every other environment leaves one."""
    with os.scandir(place) as entries:
        notes = sorted(entries, key=lambda entry: entry.stat().st_mtime_ns)
    for entry in notes[:-_NOTES]:
        os.unlink(entry.path)  # noqa: PTH108
