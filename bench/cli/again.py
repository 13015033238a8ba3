"""Builds that were asked for before, word for word, and would change nothing.

Most of a rebuild whose every step is in the cache is to load the builder: 0.2 s. So such a build leaves a
note of all that it depended on, and the next one with the same command, directory and environment only
compares. The names that it used have to stand for the same images, the builder's own code has to have the
modes, sizes, inodes and times that it had, the image's blobs have to be there, and of the context either the
same holds, as make and git have it, or all names, modes, links and contents are equal, which is what a COPY's
key is made of. Whatever differs leads to the ordinary build.

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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_FORMAT = "tare/again/2"
_MOST = 20_000  # files; to look at more takes as long as an ordinary build
_MOST_BYTES = 64 << 20  # of contents, likewise
_CHUNK = 1 << 18
_NOTES = 100
_SETTLED = 1_000_000_000  # nanoseconds
_HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
_CODE = [f"{_HERE}/{name}" for name in ("runtime/builder", "runtime/image", "bench/cli")]

_SESSION = frozenset((
    "_", "COLORTERM", "COLUMNS", "LINES", "LS_COLORS", "OLDPWD", "PS1", "PWD", "SHLVL", "SSH_CLIENT",
    "SSH_CONNECTION", "SSH_TTY", "STY", "TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_SESSION_ID",
    "TMUX", "TMUX_PANE", "VTE_VERSION", "WINDOWID", "XDG_SESSION_CLASS", "XDG_SESSION_ID", "XDG_SESSION_TYPE",
))  # fmt: skip

command = ""  # the identity of this process's command line; empty where another program calls it


class Unknowable(Exception):  # noqa: N818 - no error: the ordinary build goes on
    """Too much to look at, or something that can't be seen."""


def identity(arguments: list[str]) -> str:
    """Return what stands for this command in this directory, environment and account.

    What only tells terminals and log-ins apart is no part of it, unless an option names it.
    """
    words = [_FORMAT, sys.version, str(os.geteuid()), os.getcwd(), *arguments, ""]  # noqa: PTH109
    said = "\0".join(arguments)
    told = {name: value for name, value in os.environ.items() if name not in _SESSION or name in said}
    words += [f"{name}={value}" for name, value in sorted(told.items())]
    return _digest(words)


def _digest(words: Iterable[str]) -> str:
    return blake2b(os.fsencode("\0".join(words)), digest_size=32).hexdigest()


def find(name: str, arguments: list[str]) -> str | None:
    """Return the digest of the image that the noted build of that identity gave, if nothing has changed."""
    store = f"{_data(arguments)}/images"
    try:
        with open(f"{store}/builds/{name}", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            form, digest, count, *words = file.read().split("\0")
        blobs, (code, seen, content, count, *words) = words[: int(count)], words[int(count) :]
        names, roots = words[: int(count)], words[int(count) :]
        if form != _FORMAT or not _in_store(store, names) or Seen(_CODE).digest != code:
            return None
        if Seen(roots).digest != seen and not (content and Seen(roots, contents=True).digest == content):
            return None
        return digest if all(os.path.isfile(blob) for blob in blobs) else None  # noqa: PTH113
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
                self._add(root, os.stat(root))  # noqa: PTH116
                if os.path.isdir(root):  # noqa: PTH112
                    self._walk(root, code=root in _CODE)
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

    Unknowable as `Seen` is.
    """

    def __init__(self, store: str, roots: list[str]) -> None:
        self._store, self._roots = store, roots
        self._began = time.time_ns()
        self._before = self._looked()

    def _looked(self) -> tuple[Seen, Seen]:
        return Seen(_CODE), Seen(self._roots)

    def keep(self, digest: str, blobs: list[str], names: list[str]) -> None:
        """Write the note, if all is as it was; `blobs` are the files that make up the image.

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
        words = [_FORMAT, digest, str(len(blobs)), *blobs, *seen, content, str(len(names)), *names]
        # Not synced: a note that a crash spoils is as good as none.
        draft = f"{place}/.{command}.{os.getpid()}"
        with open(draft, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            file.write("\0".join([*words, *self._roots]))
        os.replace(draft, f"{place}/{command}")  # noqa: PTH105
        _thin(place)


def _thin(place: str) -> None:
    """Remove the oldest notes: every other environment leaves one."""
    with os.scandir(place) as entries:
        notes = sorted(entries, key=lambda entry: entry.stat().st_mtime_ns)
    for entry in notes[:-_NOTES]:
        os.unlink(entry.path)  # noqa: PTH108
