"""The index of stored runs: a cache in sqlite3 of what the result files say, never trusted over them.

A row holds for the file whose inode, size and times it was made from, and carries a digest of itself. What
does not match is read again from the file; an index that sqlite can't read is thrown away and made anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import msgspec

from bench.history.entry import Entry, read
from bench.history.lock import locked
from bench.results import beside

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 2
FILE = "index.sqlite"
PATIENCE = 30.0  # seconds for a lock that another process holds
TABLE = (
    "CREATE TABLE IF NOT EXISTS runs "
    "(key TEXT PRIMARY KEY, stamp TEXT NOT NULL, entry BLOB NOT NULL, digest BLOB NOT NULL)"
)
MEMORY = ":memory:"


class Index:
    """What is known of the result files in the directory `root`, by file name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self) -> list[Entry]:
        """Return every run as its file says it now, in the order of the file names, which begin with time.

        Where the directory can't be written, the index lives in memory for this call.
        """
        if not self.root.is_dir():
            return []
        with locked(self.root, ".index.lock") as writable:
            place = str(self.root / FILE) if writable else MEMORY
            try:
                return self._refreshed(place)
            except sqlite3.Error:
                # Damaged, of another kind, or on a full disk: it holds nothing that the files do not.
                if writable:
                    _discard(self.root / FILE)
                try:
                    return self._refreshed(place)
                except sqlite3.Error:
                    return self._refreshed(MEMORY)

    def _refreshed(self, place: str) -> list[Entry]:
        with closing(sqlite3.connect(place, timeout=PATIENCE)) as db:
            _prepare(db)
            known = _rows(db)
            files = {path.stem: path for path in sorted(self.root.glob("*.json"))}
            found: list[Entry] = []
            with db:
                gone = [(key,) for key in known if key not in files]
                db.executemany("DELETE FROM runs WHERE key = ?", gone)
                for key, path in files.items():
                    entry = self._current(db, key, path, known)
                    if entry is not None:
                        found.append(entry)
            return found

    @staticmethod
    def _current(
        db: sqlite3.Connection, key: str, path: Path, known: dict[str, tuple[str, Entry]]
    ) -> Entry | None:
        stamp = _stamp(path)
        if stamp is None:  # removed meanwhile
            return None
        if key in known and known[key][0] == stamp:
            return known[key][1]
        entry = read(path)
        data = msgspec.json.encode(entry)
        row = (key, stamp, data, _digest(key, stamp, data))
        db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", row)
        return entry


def _prepare(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in {0, VERSION}:
        raise sqlite3.DatabaseError(f"an index of version {version}")
    with db:
        db.execute(TABLE)
        db.execute(f"PRAGMA user_version = {VERSION:d}")


def _rows(db: sqlite3.Connection) -> dict[str, tuple[str, Entry]]:
    """Return the rows that are whole; others count as not there."""
    found = {}
    for key, stamp, data, digest in db.execute("SELECT key, stamp, entry, digest FROM runs"):
        if not (isinstance(data, bytes) and digest == _digest(key, stamp, data)):
            continue
        with suppress(msgspec.MsgspecError):
            found[key] = (stamp, msgspec.json.decode(data, type=Entry))
    return found


def _digest(key: str, stamp: str, data: bytes) -> bytes:
    return hashlib.sha256(f"{key}\0{stamp}\0".encode() + data).digest()


def _stamp(path: Path) -> str | None:
    """Return what changes whenever the file or its journal does: ctime moves with every write and rename."""
    own = _state(path)
    return own and f"{own} {_state(beside(path)) or ''}".rstrip()


def _state(path: Path) -> str | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _discard(path: Path) -> None:
    for name in (path.name, f"{path.name}-journal", f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(OSError):
            path.with_name(name).unlink()
