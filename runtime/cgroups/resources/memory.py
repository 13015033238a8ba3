"""linux.resources.memory (config-linux.md, "Memory"): bytes, -1 is unlimited, 0 is not set.

Kernel: Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst "Memory".
"""

from __future__ import annotations

from runtime.cgroups.room import unconverted
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.fields import Fields
    from runtime.cgroups.room import Room, Spot, Step

_SWAPPIEST = 100
_UNLIMITED = 1 << 62  # v1 reports no limit as the largest number of pages


class Wanted:
    """The fields of the object, each None when not set."""

    __slots__ = (
        "check",
        "kernel",
        "limit",
        "no_killer",
        "reservation",
        "swap",
        "swappiness",
        "tcp",
        "tree",
        "where",
    )

    def __init__(self, asked: Fields) -> None:
        self.where = asked.where
        self.limit, self.swap = asked.limit("limit"), asked.limit("swap")
        self.reservation = asked.limit("reservation")
        self.kernel, self.tcp = asked.limit("kernel"), asked.limit("kernelTCP")
        self.swappiness = asked.integer("swappiness", most=_SWAPPIEST)
        self.no_killer = asked.flag("disableOOMKiller")
        self.tree = asked.flag("useHierarchy")
        self.check = asked.flag("checkBeforeUpdate")
        asked.done()
        # Memory without a limit and swap with one can't be; runc and crun read it as both unlimited.
        if self.limit == -1 and self.swap is None:
            self.swap = -1
        if self.limit and self.swap and 0 < self.swap < self.limit:
            reason = f"{self.swap} is below {self.where}.limit, which it includes"
            raise RuntimeFault(f"{self.where}.swap: {reason}", kind="usage", hint="raise it to the limit")

    def anything(self) -> bool:
        """Whether some field asks for more than the kernel's default."""
        return any((self.limit, self.swap, self.reservation, self.kernel, self.tcp, self.no_killer)) or (
            self.swappiness is not None or self.tree is False
        )


def plan(asked: Fields, room: Room) -> list[Step]:
    """Return the steps, in the order that the kernel accepts both up and down."""
    wanted = Wanted(asked)
    if not wanted.anything():
        return []
    spot = room.spot("memory", _first(wanted))
    return _v1(wanted, spot) if spot.version == 1 else _v2(wanted, spot)


def _first(wanted: Wanted) -> str:
    for field, value in (("limit", wanted.limit), ("reservation", wanted.reservation), ("swap", wanted.swap)):
        if value:
            return f"{wanted.where}.{field}"
    return wanted.where


def _v1(wanted: Wanted, spot: Spot) -> list[Step]:
    found: list[Step] = []
    if wanted.tree is not None and spot.number("memory.use_hierarchy") != int(wanted.tree):
        found.append(("confirm", spot.file("memory.use_hierarchy"), str(int(wanted.tree))))
    found += _limits_v1(wanted, spot)
    if wanted.reservation:
        found.append(spot.write("memory.soft_limit_in_bytes", wanted.reservation))
    # Kernels since 5.16 take these and do nothing, so they are read back.
    for name, value in (("kmem", wanted.kernel), ("kmem.tcp", wanted.tcp)):
        if value:
            verb = "confirm" if value > 0 else "try"
            found.append((verb, spot.file(f"memory.{name}.limit_in_bytes"), str(value)))
    if wanted.swappiness is not None:
        found.append(spot.write("memory.swappiness", wanted.swappiness))
    if wanted.no_killer is not None:
        found.append(spot.write("memory.oom_control", int(wanted.no_killer)))
    return found


def _limits_v1(wanted: Wanted, spot: Spot) -> list[Step]:
    """memory.memsw may never be below memory.limit, so the way up starts with it and the way down ends so."""
    limit = [spot.write("memory.limit_in_bytes", wanted.limit)] if wanted.limit else []
    if not wanted.swap:
        return limit
    # Without swap accounting there is no such file, and no limit on swap to lift.
    verb = "try" if wanted.swap == -1 else "write"
    both: list[Step] = [(verb, spot.file("memory.memsw.limit_in_bytes"), str(wanted.swap))]
    now = spot.number("memory.memsw.limit_in_bytes")
    rising = wanted.limit == -1 or (now is not None and now < min(wanted.limit or 0, _UNLIMITED))
    return both + limit if rising else limit + both


def _v2(wanted: Wanted, spot: Spot) -> list[Step]:
    _refuse_v1_only(wanted)
    found: list[Step] = []
    if wanted.check and wanted.limit and wanted.limit > 0:
        _check(wanted, spot)
    swap = _swap_v2(wanted, spot)
    if swap is not None:
        # A kernel or boot without swap accounting has no file; no swap at all is then what it has anyway.
        verb = "try" if swap in {"0", "max"} else "write"
        found.append((verb, spot.file("memory.swap.max"), swap))
    if wanted.limit:
        found.append(spot.write("memory.max", _most(wanted.limit)))
    if wanted.reservation:
        found.append(spot.write("memory.low", _most(wanted.reservation)))
    return found


def _refuse_v1_only(wanted: Wanted) -> None:
    refused = {
        "kernel": (wanted.kernel or 0) > 0,
        "kernelTCP": (wanted.tcp or 0) > 0,
        "swappiness": wanted.swappiness is not None,
        "disableOOMKiller": bool(wanted.no_killer),
        "useHierarchy": wanted.tree is False,
    }
    for name, asked in refused.items():
        if asked:
            raise unconverted(f"{wanted.where}.{name}")


def _check(wanted: Wanted, spot: Spot) -> None:
    used = spot.number("memory.current") or 0
    if used > (wanted.limit or 0):
        raise RuntimeFault(
            f"{wanted.where}.limit: {wanted.limit} bytes are fewer than the {used} in use",
            kind="usage", hint="raise the limit, or leave checkBeforeUpdate out",
        )  # fmt: skip


def _swap_v2(wanted: Wanted, spot: Spot) -> str | None:
    """v1's limit is one on the sum of memory and swap, v2's on swap alone."""
    if wanted.swap is None or wanted.swap == -1:
        return None if wanted.swap is None else "max"
    limit = wanted.limit or spot.number("memory.max") or 0
    if limit <= 0:
        reason = "a limit on memory and swap together needs one on memory"
        raise RuntimeFault(f"{wanted.where}.swap: {reason}", kind="usage", hint="set the limit as well")
    if wanted.swap < limit:
        reason = f"{wanted.swap} is below the memory limit of {limit}, which it includes"
        raise RuntimeFault(f"{wanted.where}.swap: {reason}", kind="usage", hint="raise it to the limit")
    return str(wanted.swap - limit)


def _most(value: int) -> str:
    return "max" if value == -1 else str(value)
