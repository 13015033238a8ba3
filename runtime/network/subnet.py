"""Which addresses the bridge may use: a subnet that no route of the host leads to already."""

from __future__ import annotations

from ipaddress import IPv4Network

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# 10.88 first; the others for a host whose VPN routes the whole of 10.0.0.0/8.
_POOLS = ("10.88.0.0/16", "172.30.0.0/16", "192.168.128.0/17")
_SHORTEST, _LONGEST, _DEFAULT = 16, 29, 24


def parse(text: str) -> IPv4Network:
    """Subnet of the user's choice; RuntimeFault (usage) when it is none, too large or too small."""
    try:
        network = IPv4Network(text)
    except ValueError as err:
        hint = "write it as 10.88.0.0/24"
        raise RuntimeFault(f"{text} is not an IPv4 subnet", kind="usage", hint=hint) from err
    if not _SHORTEST <= network.prefixlen <= _LONGEST:
        hint = f"use a prefix from /{_SHORTEST} to /{_LONGEST}"
        raise RuntimeFault(f"{text} is no size for a bridge", kind="usage", hint=hint)
    return network


def choose(routed: Sequence[IPv4Network], wanted: str | None = None) -> IPv4Network:
    """Return the wanted subnet, or the first free /24, that overlaps no network of `routed`."""
    if wanted is not None:
        network = parse(wanted)
        if met := _overlapped(network, routed):
            hint = "choose another subnet"
            raise RuntimeFault(f"{network} overlaps this host's route to {met}", kind="host", hint=hint)
        return network
    free = next((network for network in _candidates() if not _overlapped(network, routed)), None)
    if free is None:
        hint = "name a free subnet"
        raise RuntimeFault("this host's routes leave no subnet for the bridge", kind="host", hint=hint)
    return free


def _candidates() -> Iterator[IPv4Network]:
    for pool in _POOLS:
        yield from IPv4Network(pool).subnets(new_prefix=_DEFAULT)


def _overlapped(network: IPv4Network, routed: Sequence[IPv4Network]) -> IPv4Network | None:
    # /0 is the default route, and two of /1 are how a VPN overrides it without replacing it.
    return next((other for other in routed if other.prefixlen > 1 and other.overlaps(network)), None)
