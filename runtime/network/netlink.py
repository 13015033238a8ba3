"""rtnetlink(7) by hand: one socket, one request at a time, and the kernel's own words in the error."""

from __future__ import annotations

import errno
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

# include/uapi/linux/netlink.h
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_REQUEST, _ACK, _DUMP, _DUMP_INTERRUPTED, _ACK_TLVS = 0x1, 0x4, 0x300, 0x10, 0x200
EXCLUSIVE, CREATE = 0x200, 0x400
_ERROR, _DONE = 2, 3
_ACK_MESSAGE = 1  # NLMSGERR_ATTR_MSG
_KIND_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
_DUMP_TRIES = 8


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes; a nest is an attribute whose value is attributes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def text(kind: int, value: str) -> bytes:
    """Attribute of a string."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """Attribute of 32 bits."""
    return attribute(kind, struct.pack("=I", value))


def attributes(data: bytes) -> dict[int, bytes]:
    """Values by kind; of a kind that is there twice, the last."""
    found, offset = {}, 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _KIND_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


class Netlink:
    """A route socket of the network namespace in which it is made; it stays in that one."""

    def __init__(self) -> None:
        # 0 is NETLINK_ROUTE, whose Python constant is missing from some builds.
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._sequence = 0
        self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        self._socket.bind((0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def do(self, kind: int, body: bytes, *, flags: int = 0, doing: str) -> list[bytes]:
        """Have the kernel carry a request out, give what it answers; `doing` names it in the OSError."""
        self._send(kind, body, flags | _ACK)
        return [answer for _, answer in self._answers(doing)]

    def dump(self, kind: int, body: bytes, *, doing: str) -> list[bytes]:
        """Bodies of all objects. A listing that changed under the reader is read again."""
        for _ in range(_DUMP_TRIES):
            self._send(kind, body, _DUMP)
            flags, bodies = 0, []
            for flag, answer in self._answers(doing):
                flags |= flag
                bodies.append(answer)
            if not flags & _DUMP_INTERRUPTED:
                return bodies
        raise OSError(errno.EAGAIN, "the list changes faster than it can be read", doing)

    def _send(self, kind: int, body: bytes, flags: int) -> None:
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, self._sequence, 0)
        self._socket.send(header + body)

    def _answers(self, doing: str) -> Iterator[tuple[int, bytes]]:
        while True:
            data, offset = self._socket.recv(1 << 18), 0
            while offset < len(data):
                length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
                body = data[offset + _HEADER.size : offset + length]
                offset += (length + 3) & ~3
                if sequence != self._sequence:  # the rest of a dump that was given up
                    continue
                if kind in {_ERROR, _DONE}:
                    _raise_unless_fine(body, flags, doing)
                    if kind == _DONE:
                        yield flags, b""
                    return
                yield flags, body


def _raise_unless_fine(body: bytes, flags: int, doing: str) -> None:
    (result,) = struct.unpack_from("=i", body)
    if result >= 0:
        return
    reason = os.strerror(-result)
    if flags & _ACK_TLVS:  # after the code and, in an error, the header of the request
        words = attributes(body[4 + _HEADER.size :]).get(_ACK_MESSAGE, b"").rstrip(b"\0").decode()
        reason = f"{reason} ({words})" if words else reason
    raise OSError(-result, reason, doing)
