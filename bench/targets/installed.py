"""The names of all targets, found as entry points: those of Tare and those that other packages bring."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from bench.errors import BenchFault

GROUP = "tare.targets"
STANDARD = ("native", "container", "vm", "vm-micro", "vm-full")
"""What a run measures that names no targets: they need no program beyond what Tare itself needs."""


@cache
def found() -> dict[str, EntryPoint]:
    """Return the entry points by name, the standard ones first; of two with one name the first counts.

    BenchFault where Tare's own are missing: then what is installed is older than this code.
    """
    listed = {entry.name: entry for entry in reversed(list(entry_points(group=GROUP)))}
    missing = [name for name in STANDARD if name not in listed]
    if missing:
        raise BenchFault(
            f"this installation of Tare does not know its target {missing[0]} (entry points, group {GROUP})",
            hint="install it again: ./bootstrap setup, or pip install -e .",
            kind="host",
        )
    return {name: listed[name] for name in (*STANDARD, *sorted(set(listed) - set(STANDARD)))}


def names() -> tuple[str, ...]:
    """Return the names in the order in which people see them."""
    return tuple(found())
