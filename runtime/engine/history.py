"""What a container has written, read back from its log, also while it goes on and while files take turns."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class History:
    """The lines of one log, oldest first; `read` returns those that are new since the last call."""

    def __init__(self, path: Path) -> None:
        self._path, self._place, self._done = path, 0, 0

    def read(self) -> list[Row]:
        """Return whole lines; {"log", "stream", "time"} each."""
        found: list[Row] = []
        for path in self._unread():
            rows, place, done = _entries(path, self._done if self._is(path) else 0)
            if place:
                found += rows
                self._place, self._done = place, done
        return found

    def _unread(self) -> list[Path]:
        """Return the files from the one on that was read last, oldest first."""
        paths = [self._path]
        while (older := Path(f"{self._path}.{len(paths)}")).exists():
            paths.append(older)
        begin = next((n for n, path in enumerate(paths) if self._is(path)), len(paths) - 1)
        return paths[begin::-1]

    def _is(self, path: Path) -> bool:
        try:
            return path.stat().st_ino == self._place
        except FileNotFoundError:
            return False


def _entries(path: Path, start: int) -> tuple[list[Row], int, int]:
    """Return the whole lines from a position on, the file's inode, and where they end."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            text = file.read()
            place = os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return [], 0, start
    whole = text[: text.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], place, start + len(whole)
