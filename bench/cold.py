"""A cold start: the image's files are dropped from the page cache, and that they are gone is verified.

With them go a guest's kernel and initrd, which are as much a part of what is started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import residency
from bench.errors import BenchFault

if TYPE_CHECKING:
    from bench.target import Prepared

MIB = 1024 * 1024
TRIES = 3


def chill(prepared: Prepared) -> None:
    """Drop every page of what holds the root filesystem and of what boots it.

    Names of files and directories stay known. What is outside of the image (Tare's own programs, QEMU, its
    firmware) stays warm. Raises `BenchFault` ("failed") when pages stay nevertheless, as those that a process
    has mapped do: that start would be no cold one.
    """
    if not residency.files(prepared.storage):
        raise BenchFault(
            f"where {prepared.image.reference} is kept is not known: the start would not be cold",
            hint="measure without --cold, or leave this target out: its image is somebody else's to keep",
            kind="failed",
        )
    found = residency.files(path.resolve() for path in (*prepared.storage, *prepared.boots))
    left = 0
    for _ in range(TRIES):  # pages that are being written or looked at stay for a moment
        left = residency.evict(found)
        if not left:
            return
    raise BenchFault(
        f"{left / MIB:.1f} MiB of {prepared.image.reference} stay in memory: the start would not be cold",
        hint="end what runs from that image (`tare container ps`, `tare vm ls`), or measure without --cold; "
        "a data root in memory (tmpfs) can't be cold at all",
        kind="failed",
    )
