"""Values on the sockets between client, starter and spawner: marshalled, descriptors as SCM_RIGHTS.

All ends are one interpreter, and marshal takes a quarter of JSON's time. What a start waits for is made with
as few pages of memory as can be, since each may come from afar: no table of references (version 2 of the
format has none), and one buffer for all that is received.
"""

from __future__ import annotations

import errno
import marshal
import mmap
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

LARGEST = 1 << 20  # bytes of one message
_FORMAT, _INT, _SO_SNDBUFFORCE = 2, 4, 32
loads = marshal.loads  # from our own ends alone: it trusts what it reads


def widen(end: socket.socket) -> None:
    """Let it take LARGEST at once, whatever net.core.wmem_max says, where this process may decide that."""
    try:
        end.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, LARGEST)
    except PermissionError:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)


def dumps(value: object) -> bytes:
    """Return a value of plain types as it is sent."""
    return marshal.dumps(value, _FORMAT)  # type: ignore[arg-type]


def send(to: socket.socket, data: bytes | memoryview, fds: Sequence[int] = ()) -> None:
    """Send one message with these descriptors, which stay open here; OSError, EMSGSIZE for one too large."""
    if len(data) > LARGEST:  # it would arrive cut short
        raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
    if fds:
        rights = struct.pack(f"{len(fds)}i", *fds)
        to.sendmsg((data,), ((socket.SOL_SOCKET, socket.SCM_RIGHTS, rights),))
    else:
        to.send(data)


class Inbox:
    """What comes in on a SOCK_SEQPACKET socket, with `fds` descriptors at most; for one thread at a time."""

    __slots__ = ("_room", "_socket", "_view")

    def __init__(self, end: socket.socket, fds: int = 0) -> None:
        self._socket, self._room = end, socket.CMSG_LEN(fds * _INT) if fds else 0
        # Mapped, since only what arrives is touched then.
        self._view = memoryview(mmap.mmap(-1, LARGEST, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))

    def receive(self, flags: int = 0) -> tuple[memoryview, list[int]]:
        """Wait for a message: bytes, good until the next call, none at the end; and descriptors. OSError."""
        if not self._room:
            return self._view[: self._socket.recv_into(self._view, 0, flags)], []
        size, rights, _, _ = self._socket.recvmsg_into(
            (self._view,), self._room, flags | socket.MSG_CMSG_CLOEXEC
        )
        return self._view[:size], [fd for _, _, data in rights for fd in _numbers(data)]


def _numbers(data: bytes) -> Sequence[Any]:
    return struct.unpack(f"{len(data) // _INT}i", data[: len(data) // _INT * _INT])
