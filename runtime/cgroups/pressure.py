"""Pressure of a v2 cgroup: how long its tasks waited for a resource (Documentation/accounting/psi.rst)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.room import Spot

Psi = dict[str, dict[str, float]]


def read(spot: Spot | None, resource: str) -> Psi | None:
    """Return percents of time over 10, 60 and 300 s, and the total in microseconds; None where there is none.

    `resource` is cpu, memory or io; the keys are those of runc's events.
    """
    if spot is None or spot.version == 1:
        return None
    found: Psi = {}
    for line in spot.read(f"{resource}.pressure").splitlines():
        kind, *pairs = line.split()
        found[kind] = {name: float(value) for name, _, value in (pair.partition("=") for pair in pairs)}
        found[kind]["total"] = int(found[kind]["total"])
    return found or None
