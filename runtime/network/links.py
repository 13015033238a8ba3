"""Links, addresses and routes of one network namespace, by rtnetlink (include/uapi/linux/if_link.h)."""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass

from runtime.network import netlink
from runtime.network.netlink import CREATE, EXCLUSIVE, Netlink, attribute, number, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Interface

_NEW_LINK, _DELETE_LINK, _GET_LINK, _NEW_ADDRESS, _NEW_ROUTE, _GET_ROUTE = 16, 17, 18, 20, 24, 26
_ADDRESS, _IFNAME, _MTU, _MASTER, _LINK_INFO, _NET_NS_FD = 1, 3, 4, 10, 18, 28  # IFLA_
_KIND, _DATA, _SLAVE_KIND, _SLAVE_DATA, _VETH_PEER, _HAIRPIN = 1, 2, 4, 5, 1, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_MAIN, _UNICAST, _BOOT = 254, 1, 3
_IFF_UP = 0x1
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_ROUTE = struct.Struct(
    "=BBBBBBBBI"
)  # struct rtmsg: family, lengths, tos, table, protocol, scope, type, flags


@dataclass(frozen=True)
class Link:
    """A network device as its namespace knows it."""

    index: int
    name: str
    mac: str
    mtu: int


@dataclass(frozen=True)
class Route:
    """A route of the main table: network and prefix length, and the device that it leaves by."""

    network: str
    prefix: int
    device: int


def mac_bytes(mac: str) -> bytes:
    """Six bytes of aa:bb:cc:dd:ee:ff."""
    return bytes.fromhex(mac.replace(":", ""))


def every(route: Netlink) -> list[Link]:
    """All links of the namespace."""
    bodies = route.dump(_GET_LINK, _LINK.pack(0, 0, 0, 0, 0), doing="list the links")
    return [_link(body) for body in bodies if body]


def find(route: Netlink, name: str) -> Link | None:
    """Link of that name, if there is one."""
    try:
        return get(route, name)
    except OSError as err:
        if err.errno != errno.ENODEV:
            raise
        return None


def get(route: Netlink, name: str) -> Link:
    """Link of that name; OSError with ENODEV when there is none."""
    body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, name)
    return _link(route.do(_GET_LINK, body, doing=f"find link {name}")[0])


def _link(body: bytes) -> Link:
    _, _, index, _, _ = _LINK.unpack_from(body)
    values = netlink.attributes(body[_LINK.size :])
    (mtu,) = struct.unpack("=I", values[_MTU])
    return Link(index, values[_IFNAME].rstrip(b"\0").decode(), values.get(_ADDRESS, b"").hex(":"), mtu)


def create_bridge(route: Netlink, name: str, *, mac: str, mtu: int) -> None:
    """Make a bridge, down; EEXIST when the name is taken."""
    info = attribute(_LINK_INFO, text(_KIND, "bridge"))
    body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, name) + number(_MTU, mtu)
    body += attribute(_ADDRESS, mac_bytes(mac)) + info
    route.do(_NEW_LINK, body, flags=CREATE | EXCLUSIVE, doing=f"create bridge {name}")


def create_veth(route: Netlink, name: str, *, mtu: int, peer: str, peer_mac: str, netns: int) -> None:
    """Make a pair, both ends down: `name` here, `peer` in the namespace behind `netns`.

    One request, so that a crash leaves both ends or none, and the far end never appears on the host.
    """
    far = _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, peer) + number(_MTU, mtu)
    far += attribute(_ADDRESS, mac_bytes(peer_mac)) + number(_NET_NS_FD, netns)
    info = text(_KIND, "veth") + attribute(_DATA, attribute(_VETH_PEER, far))
    body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, name) + number(_MTU, mtu) + attribute(_LINK_INFO, info)
    route.do(_NEW_LINK, body, flags=CREATE | EXCLUSIVE, doing=f"create link {name} with its peer {peer}")


def enslave(route: Netlink, name: str, bridge: Link) -> None:
    """Plug a link into a bridge and raise it.

    Hairpin is on: with br_netfilter a translated packet stays inside the bridge, and a container that calls
    its own published port gets the frame back through the port that it came in by.
    """
    body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, name) + number(_MASTER, bridge.index)
    route.do(_NEW_LINK, body, doing=f"plug {name} into {bridge.name}")
    port = text(_SLAVE_KIND, "bridge") + attribute(_SLAVE_DATA, attribute(_HAIRPIN, b"\1"))
    body = _LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP) + text(_IFNAME, name) + attribute(_LINK_INFO, port)
    route.do(_NEW_LINK, body, doing=f"raise {name}")


def raise_(route: Netlink, name: str) -> None:
    """Set a link up."""
    body = _LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP) + text(_IFNAME, name)
    route.do(_NEW_LINK, body, doing=f"raise {name}")


def delete(route: Netlink, name: str) -> None:
    """Delete a link, of a pair both ends; nothing happens when it is gone."""
    body = _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, name)
    try:
        route.do(_DELETE_LINK, body, doing=f"delete link {name}")
    except OSError as err:
        if err.errno != errno.ENODEV:
            raise


def add_address(route: Netlink, link: Link, address: IPv4Interface) -> None:
    """Give a link an address and, with it, the route to its subnet; nothing happens when it has it."""
    body = struct.pack("=BBBBI", socket.AF_INET, address.network.prefixlen, 0, 0, link.index)
    body += attribute(_IFA_LOCAL, address.ip.packed) + attribute(_IFA_ADDRESS, address.ip.packed)
    body += attribute(_IFA_BROADCAST, address.network.broadcast_address.packed)
    try:
        route.do(
            _NEW_ADDRESS, body, flags=CREATE | EXCLUSIVE, doing=f"give {link.name} the address {address}"
        )
    except OSError as err:
        if err.errno != errno.EEXIST:
            raise


def add_default_route(route: Netlink, gateway: IPv4Address) -> None:
    """Send everything else through `gateway`."""
    body = _ROUTE.pack(socket.AF_INET, 0, 0, 0, _MAIN, _BOOT, 0, _UNICAST, 0)
    body += attribute(_RTA_GATEWAY, gateway.packed)
    route.do(_NEW_ROUTE, body, flags=CREATE | EXCLUSIVE, doing=f"add the default route by {gateway}")


def routes(route: Netlink) -> list[Route]:
    """IPv4 routes of the main table that lead to a device."""
    asked = _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
    found = []
    for body in filter(None, route.dump(_GET_ROUTE, asked, doing="list the routes")):
        _, prefix, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(body)
        values = netlink.attributes(body[_ROUTE.size :])
        if (table, kind) == (_MAIN, _UNICAST) and _RTA_OIF in values:
            network = socket.inet_ntoa(values.get(_RTA_DST, bytes(4)))
            found.append(Route(network, prefix, struct.unpack("=I", values[_RTA_OIF])[0]))
    return found
