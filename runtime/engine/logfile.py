"""The log file of one container: docker's json-file lines, in one file or in several that take turns."""

# pathlib stays out of the keeper:
# ruff: noqa: PTH104, PTH108, PTH110

from __future__ import annotations

import os

from runtime.engine.documents import now
from runtime.process import lean_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.engine.documents import Document

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Log:
    """Open for appending; with `size` (bytes) the file is put aside as PATH.1 before it grows beyond it.

    At most `files` are kept, the one that is written to included. With an empty `path` nothing is kept.
    """

    __slots__ = ("_fd", "_files", "_path", "_size", "_used")

    def __init__(self, path: str, size: int = 0, files: int = 1) -> None:
        self._path, self._size, self._files = path, size, files
        self._fd, self._used = -1, 0
        self._open()

    def _open(self) -> None:
        if self._path:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o600)
            self._used = os.fstat(self._fd).st_size if self._size else 0

    def write(self, stream: str, lines: list[bytes]) -> None:
        """Append lines; a full disk costs lines of the log, not the container."""
        if not lines or self._fd < 0:
            return
        when = now()
        rows = [
            lean_json.dumps({"log": line.decode("utf-8", "replace"), "stream": stream, "time": when}) + "\n"
            for line in lines
        ]
        try:
            for text in rows if self._size else ["".join(rows)]:
                self._append(text.encode())
        except OSError:
            return

    def _append(self, text: bytes) -> None:
        if self._size and self._used and self._used + len(text) > self._size:
            self._turn()
        os.write(self._fd, text)
        self._used += len(text)

    def _turn(self) -> None:
        for number in range(self._files - 1, 0, -1):
            older = f"{self._path}.{number - 1}" if number > 1 else self._path
            if os.path.exists(older):
                os.rename(older, f"{self._path}.{number}")
        if self._files == 1:
            os.unlink(self._path)  # a reader that follows keeps what it has open
        os.close(self._fd)
        self._fd = -1
        self._open()

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def of(config: Document, path: str) -> Log:
    """Return the log that docker's LogConfig asks for."""
    if config["Type"] == "none":
        return Log("")
    given = config["Config"]
    return Log(path, size(given.get("max-size", "0")), int(given.get("max-file", "1")))


def size(text: str) -> int:
    """Return the bytes of a max-size such as 10m; 0 for what is none."""
    digits, unit = (text[:-1], text[-1:].lower()) if text[-1:].isalpha() else (text, "")
    return int(digits) * _UNITS[unit] if digits.isdigit() and unit in _UNITS else 0
