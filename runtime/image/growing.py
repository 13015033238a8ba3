"""A file that one thread writes and another reads behind it, however far behind: the disk is the buffer."""

import os
from pathlib import Path
from threading import Condition


class Growing:
    """The reading end of the file `path`. `grown`, `finish` and `abandon` are the writer's to call."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._position, self._size = 0, 0
        self._finished, self._abandoned = False, False
        self._changed = Condition()

    def close(self) -> None:
        """Give the descriptor back; nobody may be reading."""
        os.close(self._descriptor)

    def grown(self, count: int) -> None:
        """Tell that `count` more bytes are in the file."""
        with self._changed:
            self._size += count
            self._changed.notify()

    def finish(self) -> None:
        """Tell that all bytes are there."""
        with self._changed:
            self._finished = True
            self._changed.notify()

    def abandon(self) -> None:
        """Tell that no more bytes will come, although some are missing: the reader gets an EOFError."""
        with self._changed:
            self._abandoned = True
            self._changed.notify()

    def read(self, size: int = -1, /) -> bytes:
        """Wait for bytes and return some, up to `size`; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._position < self._size or self._finished or self._abandoned)
            if self._abandoned:
                raise EOFError("its download was called off")
            left = self._size - self._position
        data = os.pread(self._descriptor, left if size < 0 else min(size, left), self._position)
        self._position += len(data)
        return data
