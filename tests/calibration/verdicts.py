"""A row of the table: a share that was counted, how well it is known, and what it has to be."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Row:
    """`value` is a share of `n` cases, with its exact 95 % interval; `met` None: reported, not required."""

    part: str
    what: str
    value: float
    low: float
    high: float
    n: int
    goal: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the row as words."""
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        return (
            self.part, self.what, f"{self.value:.1%}", f"{self.low:.1%} to {self.high:.1%}",
            str(self.n), self.goal, verdict,
        )  # fmt: skip


HEAD = ("PART", "WHAT", "SHARE", "95 % INTERVAL", "N", "GOAL", "")


def share(hits: int, n: int) -> tuple[float, float, float, int]:
    """Return hits / n and its exact binomial interval (Clopper and Pearson 1934)."""
    interval = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    return hits / n, float(interval.low), float(interval.high), n


def at_most(part: str, what: str, hits: int, n: int, limit: float) -> Row:
    """Return a row that is met unless more than `limit` is proven: the interval lies above it."""
    value, low, high, n = share(hits, n)
    return Row(part, what, value, low, high, n, f"at most {limit:.0%}", low <= limit)


def at_least(part: str, what: str, hits: int, n: int, limit: float) -> Row:
    """Return a row that is met when the share itself reaches `limit`."""
    value, low, high, n = share(hits, n)
    return Row(part, what, value, low, high, n, f"at least {limit:.0%}", value >= limit)


def missed(rows: Iterable[Row]) -> list[Row]:
    """Return what is not as it has to be."""
    return [row for row in rows if row.met is False]


def summary(rows: Iterable[Row]) -> str:
    """Return one line on all goals."""
    found = Counter(row.met for row in rows)
    return f"{found[True]} goals met, {found[False]} missed, {found[None]} figures without a goal"


def plain(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the rows as JSON."""
    return [asdict(row) for row in rows]
