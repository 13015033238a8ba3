"""linux.resources.blockIO (config-linux.md, "Block IO"): weights, and rates in bytes or operations a second.

Kernel: Documentation/admin-guide/cgroup-v1/blkio-controller.rst, block/bfq-iosched.rst, cgroup-v2.rst "IO".
"""

from __future__ import annotations

from runtime.cgroups.fields import required
from runtime.cgroups.room import unconverted
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.fields import Fields
    from runtime.cgroups.room import Room, Spot, Step

_LEAST, _MOST = 10, 1000  # of the specification's weights, which are CFQ's
_RATES = (
    ("throttleReadBpsDevice", "read_bps_device", "rbps"),
    ("throttleWriteBpsDevice", "write_bps_device", "wbps"),
    ("throttleReadIOPSDevice", "read_iops_device", "riops"),
    ("throttleWriteIOPSDevice", "write_iops_device", "wiops"),
)


def plan(asked: Fields, room: Room) -> list[Step]:
    """Return the steps; a rate of 0 lifts the limit."""
    found: list[Step] = []
    for name in ("weight", "leafWeight"):
        value = _weight(asked, name)
        if value:
            found.append(_weigh(room.spot("blkio", asked.path(name)), asked.path(name), name, value))
    for entry in asked.each("weightDevice"):
        found += _device_weights(entry, room)
    for name, v1_file, v2_key in _RATES:
        for entry in asked.each(name):
            found.append(_rate(entry, room, v1_file, v2_key))
    asked.done()
    return found


def v2_weight(value: int) -> int:
    """io.weight (1 to 10000) for a weight of 10 to 1000: linear, as crun(1) and runc have it."""
    return 1 + (value - 10) * 9999 // 990


def _weight(asked: Fields, name: str) -> int | None:
    value = asked.integer(name, most=_MOST) or None
    if value and value < _LEAST:
        reason = f"{value} is not a weight from {_LEAST} to {_MOST}"
        raise RuntimeFault(f"{asked.path(name)}: {reason}", kind="usage", hint="correct config.json")
    return value


def _weigh(spot: Spot, where: str, name: str, value: int, device: str = "") -> Step:
    """Which scheduler weighs, BFQ or the cost model, decides which file there is."""
    if name == "leafWeight":
        if spot.version != 1:
            raise unconverted(where)
        suffix = "_device" if device else ""
        return spot.write(f"blkio.leaf_weight{suffix}", f"{device} {value}".strip())
    if spot.version == 1:
        suffix, text = ("_device", f"{device} {value}") if device else ("", str(value))
        return (
            "either",
            spot.file(f"blkio.bfq.weight{suffix}"),
            text,
            spot.file(f"blkio.weight{suffix}"),
            text,
        )
    target = device or "default"
    return (
        "either", spot.file("io.bfq.weight"), f"{target} {value}", spot.file("io.weight"),
        f"{target} {v2_weight(value)}",
    )  # fmt: skip


def _device_weights(entry: Fields, room: Room) -> list[Step]:
    device, spot, found = _device(entry), room.spot("blkio", entry.where), []
    for name in ("weight", "leafWeight"):
        value = _weight(entry, name)
        if value:
            found.append(_weigh(spot, entry.path(name), name, value, device))
    if not found:
        raise RuntimeFault(f"{entry.where} has neither weight nor leafWeight", kind="usage", hint="add one")
    entry.done()
    return found


def _rate(entry: Fields, room: Room, v1_file: str, v2_key: str) -> Step:
    device, spot = _device(entry), room.spot("blkio", entry.where)
    rate = required(entry, "rate", entry.integer("rate"))
    entry.done()
    if spot.version == 1:
        return spot.write(f"blkio.throttle.{v1_file}", f"{device} {rate}")
    return spot.write("io.max", f"{device} {v2_key}={rate or 'max'}")


def _device(entry: Fields) -> str:
    major, minor = (required(entry, name, entry.integer(name)) for name in ("major", "minor"))
    return f"{major}:{minor}"
