"""The memory of idle containers as quotients of a bare process's, with the goals that they are held to."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.stats import median, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.stats import Estimate
    from tests.peers.marginal import Idle

BARE, OURS = "bare", ("tare-inprocess", "tare-engine", "tare-oci")
MOST_PSS = 1.1  # times a bare process's
MOST_HELPER = 1 << 20  # bytes of USS for each container
_KIB = 1024


def rows(idle: Sequence[Idle]) -> list[dict[str, Any]]:
    """Return the figures as JSON takes them: bytes a round, their median, the quotient of PSS to `bare`'s."""
    bare = next((one.pss for one in idle if one.name == BARE), [])
    return [
        {
            **asdict(one), "unit": "B",
            "median": _fields(median(one.pss) if one.pss else None),
            "ratio": _fields(ratio(one.pss, bare)) if one.name != BARE else None,
        }
        for one in idle
    ]  # fmt: skip


def _fields(estimate: Estimate | None) -> dict[str, Any] | None:
    return asdict(estimate) if estimate else None


def lines(found: list[dict[str, Any]]) -> list[str]:
    """Return the table: medians of KiB, quotients with 95 % intervals, then the goals."""
    if not found:
        return []
    head = f"{'idle':<16} {'more PSS each':>22} {'n':>3} {'/ bare':>20} {'more USS':>10} {'helper USS':>12}"
    return [f"{head} helpers", *map(_line, found), "", *(line for row in found for line in _goals(row))]


def _line(row: dict[str, Any]) -> str:
    if row["missing"]:
        return f"{row['name']:<16} missing: {row['missing']}"
    uss, helper = (statistics.median(row[key]) / _KIB for key in ("uss", "helper_uss"))
    together = statistics.median(row["helpers_uss"]) / _KIB
    beside = f"{row['helpers']} ({together:.0f} KiB)" if row["helpers"] else "none"
    return (
        f"{row['name']:<16} {_span(row['median'], _KIB, 'KiB'):>22} {len(row['pss']):>3} "
        f"{_span(row['ratio']):>20} {uss:>6.0f} KiB {helper:>8.0f} KiB {beside}"
    )


def _span(estimate: dict[str, Any] | None, scale: float = 1, unit: str = "") -> str:
    if estimate is None:
        return "-"
    digits = 0 if unit else 2
    tail = f" {unit}" if unit else ""
    if estimate["low"] is None:
        return f"{estimate['value'] / scale:.{digits}f}{tail}"
    low, high = estimate["low"] / scale, estimate["high"] / scale
    return f"{estimate['value'] / scale:.{digits}f} ({low:.{digits}f}-{high:.{digits}f}){tail}"


def met(row: dict[str, Any]) -> bool | None:
    """Whether a form of Tare keeps to both goals; None for others, and what was not measured."""
    if row["name"] not in OURS or not row["ratio"]:
        return None
    return bool(row["ratio"]["value"] <= MOST_PSS and statistics.median(row["helper_uss"]) <= MOST_HELPER)


def _goals(row: dict[str, Any]) -> list[str]:
    if met(row) is None:
        return []
    verdict = "met" if met(row) else "NOT MET"
    goal = f"idle {row['name']} / bare <= {MOST_PSS}, helper <= 1 MiB each"
    return [f"goal: {goal}: {_span(row['ratio'])} {verdict}"]
