"""The three networks that a container may ask for."""

from __future__ import annotations

from enum import StrEnum

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Mode(StrEnum):
    """`none` has only loopback, `host` shares the host's network, `bridge` is a link to the host's bridge."""

    NONE = "none"
    HOST = "host"
    BRIDGE = "bridge"


def check(name: str, published: Sequence[object] = ()) -> Mode:
    """Mode of that name; RuntimeFault (usage) for another name, or for ports that it cannot publish."""
    if name not in list(Mode):
        raise RuntimeFault(f"no network is called {name}", kind="usage", hint="use none, host or bridge")
    if published and name != Mode.BRIDGE:
        raise RuntimeFault(
            f"the network {name} cannot publish ports",
            kind="usage",
            hint="use --network bridge, or leave out -p",
        )
    return Mode(name)
