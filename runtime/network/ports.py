"""Published ports: read from the command line once, then held on the host while they are being published."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ANYWHERE = "0.0.0.0"  # noqa: S104 - publishing on all addresses is the documented default
_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_LAST = 65535


@dataclass(frozen=True)
class Port:
    """`number` on the host's `address` leads to `container`; number 0 lets the kernel choose a free one."""

    number: int
    container: int
    protocol: str = "tcp"
    address: str = ANYWHERE

    def __str__(self) -> str:
        return f"{self.address}:{self.number}/{self.protocol}"


def parse(text: str) -> tuple[Port, ...]:
    """Read [[ADDRESS:][HOST]:]CONTAINER[/tcp|udp]; ports may be ranges A-B of one length.

    RuntimeFault (usage) names what is wrong with the text.
    """
    if "[" in text or text.count(":") > 2:  # noqa: PLR2004 - address, host, container
        raise _wrong(text, "IPv6 is not supported")
    words, _, protocol = text.partition("/")
    *front, inner = words.split(":")
    protocol = protocol.lower() if "/" in text else "tcp"
    if protocol not in _TYPES:
        raise _wrong(text, f"the protocol {protocol or '(empty)'} is not supported, only tcp and udp")
    containers = _range(text, inner)
    hosts = _range(text, front[-1]) if front and front[-1] else [0] * len(containers)
    if len(hosts) != len(containers):
        raise _wrong(text, "the two ranges are of different length")
    address = _address(text, front[0]) if len(front) > 1 else ANYWHERE
    return tuple(Port(host, port, protocol, address) for host, port in zip(hosts, containers, strict=True))


def _address(text: str, written: str) -> str:
    try:
        return str(IPv4Address(written or ANYWHERE))
    except AddressValueError as err:
        raise _wrong(text, f"{written} is not an IPv4 address") from err


def _range(text: str, written: str) -> list[int]:
    first, dash, last = written.partition("-")
    ends = [first, last if dash else first]
    if not all(end.isascii() and end.isdigit() and len(end) < 6 for end in ends):  # noqa: PLR2004 - 65535
        raise _wrong(text, f"{written or '(empty)'} is not a port")
    low, high = (int(end) for end in ends)
    if not 0 < low <= high <= _LAST:
        raise _wrong(text, f"{written} is not within 1 to {_LAST}")
    return list(range(low, high + 1))


def _wrong(text: str, why: str) -> RuntimeFault:
    return RuntimeFault(
        f"cannot publish {text}: {why}", kind="usage", hint="write [ADDRESS:]HOST:CONTAINER[/udp]"
    )


def clash(wanted: Sequence[Port], taken: Sequence[Port]) -> Port | None:
    """First wanted port that another one already claims: same number, and one address includes the other."""
    others = list(taken)
    for port in wanted:
        if port.number and any(_same(port, other) for other in others):
            return port
        others.append(port)
    return None


def _same(one: Port, other: Port) -> bool:
    addresses = {one.address, other.address}
    return (one.number, one.protocol) == (other.number, other.protocol) and (
        len(addresses) == 1 or ANYWHERE in addresses
    )


@contextmanager
def held(ports: Sequence[Port]) -> Iterator[tuple[Port, ...]]:
    """Bind every port on the host, so that nobody else has it; yields them with their numbers.

    The sockets close with the block. After it the translation alone leads to the container: the price of
    having no process per published port is that the kernel will let a later program of the host bind it, too.
    """
    with ExitStack() as sockets:
        yield tuple(_bind(sockets, port) for port in ports)


def _bind(sockets: ExitStack, port: Port) -> Port:
    holder = sockets.enter_context(socket.socket(socket.AF_INET, _TYPES[port.protocol]))
    if port.protocol == "tcp":  # past connections in TIME_WAIT do not count, a listener does
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind((port.address, port.number))
        if port.protocol == "tcp":  # only a listener keeps a second one with SO_REUSEADDR away
            holder.listen(1)
    except OSError as err:
        raise _refused(port, err) from err
    return replace(port, number=holder.getsockname()[1])


def _refused(port: Port, err: OSError) -> RuntimeFault:
    if err.errno == errno.EADDRINUSE:
        return in_use(port)
    if err.errno == errno.EADDRNOTAVAIL:
        hint = "publish on an address of this machine"
        return RuntimeFault(f"cannot publish {port}: this host has no such address", kind="host", hint=hint)
    return RuntimeFault.from_os(err, f"publish {port}")


def in_use(port: Port, by: str = "a program of the host") -> RuntimeFault:
    """One line for a port that somebody has."""
    hint = "choose another port, or stop what listens there"
    return RuntimeFault(f"cannot publish {port}: {by} uses it", kind="host", hint=hint)
