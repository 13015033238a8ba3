"""From SI base units to what a terminal shows."""

from __future__ import annotations

FACTORS = {"s": (1e3, "ms"), "B": (1 / 2**20, "MiB")}
"""By which factor a value is shown, and in which unit; others as they are."""


def quantity(value: float | None, unit: str) -> str:
    """Return a value of the file's `unit` in words: `0.0052, "s"` becomes "5.2 ms"."""
    if value is None:
        return "-"
    factor, name = FACTORS.get(unit, (1.0, unit))
    return f"{value * factor:.4g} {name}"
