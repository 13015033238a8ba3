"""A guest as it was at one moment, from which it goes on any number of times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmdriver.errors import MachineFault

if TYPE_CHECKING:
    from pathlib import Path

    from vmdriver.spec import GuestSpec


@dataclass(frozen=True)
class Snapshot:
    """The memory and the devices of a guest in `file`, which is the caller's to remove.

    What goes on from it has the same name, as libvirt insists (virDomainRestore).
    """

    spec: GuestSpec
    file: Path


def check(spec: GuestSpec) -> None:
    """Refuse a guest that is more than its memory: its own disks go away with it."""
    if spec.disks:
        raise MachineFault(
            f"guest {spec.name} has disks, so its memory alone is no snapshot of it",
            kind="usage",
            hint="save a guest that has its root filesystem in memory",
        )
