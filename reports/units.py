"""The one place that turns SI base units into what people read: ms and s, MiB and GiB, per second.

Three significant digits throughout: more would claim a precision that a benchmark doesn't have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_MOST_DECIMALS = 15  # a value below 1e-12 is less than anything that is measured
MISSING = "\N{EN DASH}"
HUNDREDFOLD = 100.0
TEN_MINUTES = 600.0
KIB, MIB, GIB = 2**10, 2**20, 2**30


@dataclass(frozen=True, slots=True)
class Scale:
    """A display unit: a value in the base unit is divided by `divisor` and followed by `suffix`."""

    divisor: float
    suffix: str

    def number(self, value: float) -> str:
        """Return `value` (base unit) in this unit, without the suffix."""
        return significant(value / self.divisor)

    def text(self, value: float) -> str:
        """Return `value` (base unit) in this unit, with the suffix."""
        return f"{self.number(value)} {self.suffix}".rstrip()


MILLISECONDS, SECONDS, MINUTES = Scale(1e-3, "ms"), Scale(1.0, "s"), Scale(60.0, "min")
MEBIBYTES, GIBIBYTES = Scale(MIB, "MiB"), Scale(GIB, "GiB")
PLAIN = Scale(1.0, "")


def scale(unit: str, largest: float) -> Scale:
    """Return the display unit for values of the file's `unit` whose largest magnitude is `largest`."""
    size = abs(largest)
    if unit == "s":
        if size >= TEN_MINUTES:
            return MINUTES
        return SECONDS if size >= 1 else MILLISECONDS
    if unit == "B":
        return GIBIBYTES if size >= 10 * GIB else MEBIBYTES
    return Scale(1.0, "/s") if unit == "1/s" else PLAIN


def significant(value: float, digits: int = 3) -> str:
    """Return `value` with `digits` significant digits, thousands grouped, never in scientific notation."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    # 9.996 rounds to 10.00: one digit more before the point, one less after it.
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{min(max(decimals, 0), _MOST_DECIMALS)}f}".replace("-", "\N{MINUS SIGN}")


def quantity(value: float | None, unit: str) -> str:
    """Return a value of the file's `unit` for people: `0.0052, "s"` becomes "5.20 ms"."""
    if value is None or not math.isfinite(value):
        return MISSING
    return scale(unit, value).text(value)


def interval(low: float | None, high: float | None, unit: str) -> str:
    """Return "5.02 to 5.37 ms", both ends in one unit; a dash when there is no interval."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return MISSING
    shared = scale(unit, max(abs(low), abs(high)))
    return f"{shared.number(low)} to {shared.text(high)}"


def times(ratio: float | None) -> str:
    """Return a ratio as a factor with a multiplication sign behind it."""
    return (
        MISSING
        if ratio is None or not math.isfinite(ratio)
        else f"{significant(ratio)} \N{MULTIPLICATION SIGN}"
    )


def percent(share: float | None) -> str:
    """Return a share (1 is all) as "99.4 %"."""
    return MISSING if share is None or not math.isfinite(share) else f"{significant(100 * share)} %"


def ticks(low: float, high: float, unit: str) -> tuple[list[float], list[str]]:
    """Return marks for a log axis that enclose `low` to `high` (base unit, positive), and their labels.

    Powers of ten; where the data span less than two of them, 1, 2 and 5 times those.
    """
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high)) + 1
    steps = (1, 2, 5) if high / low < HUNDREDFOLD else (1,)
    values = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    below = max((value for value in values if value <= low), default=values[0])
    above = min((value for value in values if value >= high), default=values[-1])
    inside = [value for value in values if below <= value <= above]
    return inside, [_tick(value, unit) for value in inside]


def _tick(value: float, unit: str) -> str:
    chosen = scale(unit, value)
    return f"{value / chosen.divisor:,g} {chosen.suffix}".rstrip()
