"""The kinds of namespace, by the names of the OCI runtime specification (config-linux.md, Namespaces)."""

from __future__ import annotations

import fcntl
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
else:
    # The C half of `socket`: the other makes enumerations of all its numbers, for 2 ms of each start.
    import _socket as socket

FLAGS = {
    "mount": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "network": 0x40000000,
}
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def flags(*names: str) -> int:
    """Bit mask for clone3 or unshare."""
    return sum(FLAGS[name] for name in names)


def raise_loopback() -> None:
    """Set `lo` up: a new network namespace is born with it down, and then even 127.0.0.1 is unreachable."""
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        request = fcntl.ioctl(control.fileno(), _SIOCGIFFLAGS, struct.pack("16sh14x", b"lo", 0))
        current = struct.unpack("16sh14x", request)[1]
        fcntl.ioctl(control.fileno(), _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", current | _IFF_UP))
    finally:
        control.close()
