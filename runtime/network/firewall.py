"""Address translation and published ports: one nftables table per bridge, always replaced as a whole.

The table is a function of the records, so a change is one transaction, and a change that was interrupted is
mended by the next one. Nothing outside our own table is read or written.
"""

from __future__ import annotations

import json
import shutil
import subprocess

from runtime.errors import RuntimeFault
from runtime.network.ports import ANYWHERE, Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runtime.network.records import Bridge, Lease

_PLACES = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
_SECONDS = 20.0


def require() -> str:
    """Path of nft; RuntimeFault (host) when it is missing."""
    found = shutil.which("nft") or shutil.which("nft", path=_PLACES)
    if found is None:
        hint = "install nftables, or use --network none or host"
        raise RuntimeFault("the bridge network needs the program nft", kind="host", hint=hint)
    return found


def apply(bridge: Bridge, leases: Sequence[Lease], lock: int) -> None:
    """Replace the table by the one that these leases need."""
    _nft(["-f", "-"], lock, f"set up the nftables table {bridge.name}", ruleset(bridge, leases))


def remove(bridge: Bridge, lock: int) -> None:
    """Delete the table; nothing happens when it is gone."""
    _nft(["-f", "-"], lock, f"delete the nftables table {bridge.name}", _none(bridge))


def published(bridge: Bridge, lock: int) -> set[tuple[Port, str]]:
    """Read back what the kernel translates: the port, and the container's address."""
    listing = json.loads(
        _nft(["-j", "list", "table", "ip", bridge.name], lock, f"list the nftables table {bridge.name}")
    )
    maps = [entry["map"] for entry in listing["nftables"] if "map" in entry]
    return {_element(*pair) for found in maps for pair in found.get("elem", [])}


def expected(leases: Iterable[Lease]) -> set[tuple[Port, str]]:
    """Return what `published` should say."""
    return {(port, lease.address) for lease in leases for port in lease.ports}


def _element(key: dict[str, list[str | int]], value: dict[str, list[str | int]]) -> tuple[Port, str]:
    *address, protocol, number = key["concat"]
    inside, port = value["concat"]
    host = str(address[0]) if address else ANYWHERE
    return Port(int(number), int(port), str(protocol), host), str(inside)


def ruleset(bridge: Bridge, leases: Sequence[Lease]) -> str:
    """Text of the transaction that replaces the table."""
    name, subnet = bridge.name, bridge.subnet
    anywhere = [(port, lease) for lease in leases for port in lease.ports if port.address == ANYWHERE]
    addressed = [(port, lease) for lease in leases for port in lease.ports if port.address != ANYWHERE]
    opened = ", ".join(f'"{device}"' for device in bridge.opened)
    # The host was no router before we opened these interfaces, and it becomes none for others: only what
    # some table of the host has translated on purpose may pass.
    shut = f"iifname {{ {opened} }} ct state new ct status & dnat != dnat drop" if opened else ""
    return f"""{_none(bridge)}table ip {name} {{
 map anywhere {{
  type inet_proto . inet_service : ipv4_addr . inet_service
  {_elements(f"{port.protocol} . {port.number} : {_target(port, lease)}" for port, lease in anywhere)}
 }}
 map addressed {{
  type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
  {_elements(f"{p.address} . {p.protocol} . {p.number} : {_target(p, lease)}" for p, lease in addressed)}
 }}
 chain guard {{
  type filter hook prerouting priority -300
  iifname "{name}" ip daddr 127.0.0.0/8 drop
  iifname "{name}" ip saddr != {subnet} drop
 }}
 chain published {{
  dnat ip to ip daddr . meta l4proto . th dport map @addressed
  fib daddr type local dnat ip to meta l4proto . th dport map @anywhere
 }}
 chain incoming {{
  type nat hook prerouting priority -100
  meta l4proto {{ tcp, udp }} jump published
 }}
 chain outgoing {{
  type nat hook output priority -100
  meta l4proto {{ tcp, udp }} jump published
 }}
 chain source {{
  type nat hook postrouting priority 100
  ip saddr {subnet} oifname != "{name}" masquerade
  oifname "{name}" ip saddr 127.0.0.0/8 masquerade
  oifname "{name}" ip saddr {subnet} ct status dnat masquerade
 }}
 chain passing {{
  type filter hook forward priority 0
  iifname "{name}" accept
  oifname "{name}" ct state established,related accept
  oifname "{name}" ct status dnat accept
  oifname "{name}" drop
  {shut}
 }}
}}
"""


def _none(bridge: Bridge) -> str:
    # Deleting a table that is not there is an error; adding one that is there is none.
    return f"table ip {bridge.name}\ndelete table ip {bridge.name}\n"


def _target(port: Port, lease: Lease) -> str:
    return f"{lease.address} . {port.container}"


def _elements(lines: Iterable[str]) -> str:
    joined = ", ".join(lines)
    return f"elements = {{ {joined} }}" if joined else ""


def _nft(arguments: list[str], lock: int, doing: str, text: str = "") -> str:
    # nft inherits the lock: if we are killed, nobody takes it before the transaction is through.
    try:
        done = subprocess.run(
            [require(), *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            pass_fds=(lock,),
            timeout=_SECONDS,
            env={"LC_ALL": "C", "PATH": _PLACES},
        )
    except subprocess.TimeoutExpired as err:
        raise RuntimeFault(f"cannot {doing}: nft takes more than {_SECONDS:.0f} s", kind="host") from err
    if done.returncode:
        reason = done.stderr.strip().splitlines()[0] if done.stderr.strip() else f"status {done.returncode}"
        hint = "the kernel must have nf_tables with nat, fib and masquerade" if "such file" in reason else ""
        raise RuntimeFault(f"cannot {doing}: {reason}", kind="host", hint=hint)
    return done.stdout
