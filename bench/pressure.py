"""Pressure stall information: how long tasks waited for a resource (Documentation/accounting/psi.rst)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MICROSECOND = 1e-6


def stalls(folder: Path) -> dict[str, float]:
    """Return seconds stalled since boot by `cpu_some`, `memory_full`, …; empty without PSI.

    A kernel with psi=0 has the files but fails the read with EOPNOTSUPP.
    """
    found = {}
    for resource in ("cpu", "memory", "io"):
        try:
            text = (folder / resource).read_text()
        except OSError:
            continue
        for line in text.splitlines():
            kind, *fields = line.split()
            total = dict(field.split("=", 1) for field in fields)["total"]
            found[f"{resource}_{kind}"] = int(total) * MICROSECOND
    return found
