"""Serial channels: sockets that listen before the guest exists, so that no early byte is lost."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from typing import TYPE_CHECKING

from vmdriver.errors import MachineFault, from_os

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 107  # sun_path is 108 bytes with its end, unix(7)


class Listener:
    """A socket at `path` that waits for QEMU to connect. A context manager; closing removes the path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if len(str(path).encode()) > _LONGEST:
            raise MachineFault(
                f"{path} is too long for a socket ({_LONGEST} bytes)",
                kind="usage",
                hint="choose a shorter --root or TARE_ROOT",
            )
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(str(path))
            path.chmod(0o666)  # QEMU may run as another user; the directory above decides who gets here
            self._socket.listen(1)
        except OSError as err:
            self._socket.close()
            raise from_os(err, f"listening on {path}") from err

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def accept(self, timeout: float) -> socket.socket:
        """Return the connection from QEMU, blocking for at most `timeout` seconds."""
        self._socket.settimeout(timeout)
        try:
            connection, _ = self._socket.accept()
        except TimeoutError as err:
            raise MachineFault(f"no machine connected to {self.path} in {timeout:g} s") from err
        connection.settimeout(None)
        return connection

    def close(self) -> None:
        """Stop listening and remove the path."""
        self._socket.close()
        self.path.unlink(missing_ok=True)


def peer(connection: socket.socket) -> int:
    """Return the process at the other end, as the kernel knows it (SO_PEERCRED, unix(7))."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", raw)[0]
    return pid


def read_until(
    channel: socket.socket, marker: bytes, limit: float, *, also: socket.socket | None = None
) -> tuple[bool, bytes]:
    """Read `channel` until `marker` comes, for at most `limit` seconds; drain `also` at the same time.

    Returns whether it came, and all that `also` (or else `channel`) said. Ends early at the end of `channel`.
    """
    heard: dict[socket.socket, bytearray] = {sock: bytearray() for sock in (channel, also) if sock}
    deadline = time.monotonic() + limit
    with selectors.DefaultSelector() as selector:
        for sock in heard:
            selector.register(sock, selectors.EVENT_READ)
        while marker not in heard[channel] and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                sock = next(sock for sock in heard if sock is key.fileobj)
                data = sock.recv(65536)
                heard[sock] += data
                if not data:
                    selector.unregister(sock)
            if channel not in selector.get_map():
                break
    return marker in heard[channel], bytes(heard[also or channel])
