"""The other end of `--console-socket`: receives the master of a container's terminal."""

from __future__ import annotations

import array
import fcntl
import os
import select
import socket
import struct
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self


class ConsoleSocket:
    """A listening socket, and the terminal that came over it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen(1)
        self._server.settimeout(5)
        self._master: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        if self._master is not None:
            os.close(self._master)

    @property
    def master(self) -> int:
        """The descriptor that the runtime sends, received once."""
        if self._master is None:
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(5)
                _, fds, _, _ = socket.recv_fds(connection, 4096, 1)
            assert len(fds) == 1, "no descriptor came"
            self._master = fds[0]
        return self._master

    def size(self) -> tuple[int, int]:
        """Height and width in characters."""
        space = array.array("B", bytes(8))
        fcntl.ioctl(self.master, termios.TIOCGWINSZ, space)
        height, width, _, _ = struct.unpack("HHHH", space)
        return height, width

    def resize(self, height: int, width: int) -> None:
        """Change the size, of which the kernel tells the foreground process."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def write(self, text: str) -> None:
        os.write(self.master, text.encode())

    def read_until(self, words: str, timeout: float = 5.0) -> str:
        """What came, up to and with `words`; EIO is a terminal's way to say that nobody is left."""
        text, end = "", time.monotonic() + timeout
        while words not in text:
            ready = select.select([self.master], [], [], max(0, end - time.monotonic()))[0]
            assert ready, f"no {words!r} in {text!r}"
            try:
                text += os.read(self.master, 4096).decode()
            except OSError as err:
                raise AssertionError(f"no {words!r} in {text!r}: {err.strerror}") from err
        return text
