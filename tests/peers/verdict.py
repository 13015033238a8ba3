"""Quotients of what was timed, the goals that they are held to, and the table."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.stats import ratio
from tests.peers import ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.stats import Estimate
    from tests.peers.marginal import Idle
    from tests.peers.rounds import Timed

BASES = ("floor", "crun", "runc")


@dataclass(frozen=True)
class Goal:
    """`above` is to take at most `most` times as long as `below`."""

    above: str
    below: str
    most: float


GOALS = (
    Goal("tare-inprocess", "floor", 1.3),
    Goal("tare-inprocess", "crun", 0.8),
    Goal("tare-oci", "runc", 1.0),
)


def report(
    timed: Sequence[Timed],
    idle: Sequence[Idle],
    *,
    bases: Sequence[str] = BASES,
    goals: Sequence[Goal] = GOALS,
) -> dict[str, Any]:
    """Return the figures as JSON takes them: seconds, bytes, quotients with their intervals."""
    by_name = {one.name: one for one in timed}
    peers = [_peer(one, by_name, bases) for one in timed]
    return {
        "schema": "tare/peers/1",
        "peers": peers,
        "bases": list(bases),
        "goals": [_goal(goal, by_name) for goal in goals],
        "idle": ledger.rows(idle),
    }


def _peer(one: Timed, by_name: dict[str, Timed], bases: Sequence[str]) -> dict[str, Any]:
    quotients = {
        base: _fields(ratio(one.samples, by_name[base].samples))
        for base in bases
        if base in by_name and base != one.name
    }
    return {**asdict(one), "unit": "s", "median": _median(one), "ratios": quotients}


def _median(one: Timed) -> float | None:
    return statistics.median(one.samples) if one.samples else None


def _goal(goal: Goal, by_name: dict[str, Timed]) -> dict[str, Any]:
    above, below = by_name.get(goal.above), by_name.get(goal.below)
    estimate = _fields(ratio(above.samples, below.samples)) if above and below else None
    again = _fields(ratio(above.again, below.again)) if above and below else None
    verdicts = {"met": _met(goal, estimate), "again_met": _met(goal, again)}
    return {**asdict(goal), "ratio": estimate, "again": again, **verdicts}


def _met(goal: Goal, estimate: dict[str, Any] | None) -> bool | None:
    return estimate["value"] <= goal.most if estimate else None


def _fields(estimate: Estimate | None) -> dict[str, Any] | None:
    return asdict(estimate) if estimate else None


def table(found: dict[str, Any]) -> str:
    """Return the figures as people read them: milliseconds, quotients with 95 % intervals."""
    bases = found["bases"]
    lines = [f"{'peer':<16} {'median':>9} {'n':>3}" + "".join(f"  {f'/ {base}':<19}" for base in bases)]
    for peer in found["peers"]:
        if peer["missing"]:
            lines.append(f"{peer['name']:<16} missing: {peer['missing']}")
            continue
        cells = [f"  {_span(peer['ratios'].get(base)):<19}" for base in bases]
        lines.append(
            f"{peer['name']:<16} {peer['median'] * 1e3:>6.1f} ms {len(peer['samples']):>3}{''.join(cells)}"
            f"{_settled(peer['settling'])}"
        )
    return "\n".join([*lines, "", *map(_goal_line, found["goals"]), "", *ledger.lines(found["idle"])])


def summary(reports: dict[str, dict[str, Any]]) -> str:
    """Return the goals of all experiments, one a line, with the medians that the quotients are of."""
    lines = [f"{'experiment':<16} {'goal':<26} {'quotient':<19} {'n':>3}  {'medians':<19}"]
    for name, found in reports.items():
        medians = {peer["name"]: (peer["median"], len(peer["samples"])) for peer in found["peers"]}
        for goal in found["goals"]:
            (above, count), (below, _) = (medians.get(goal[key], (None, 0)) for key in ("above", "below"))
            said = f"{goal['above']} / {goal['below']} <= {goal['most']}"
            pair = f"{above * 1e3:.1f} / {below * 1e3:.1f} ms" if above and below else "-"
            verdict = _VERDICTS[goal["met"]]
            lines.append(f"{name:<16} {said:<26} {_span(goal['ratio']):<19} {count:>3}  {pair:<19} {verdict}")
    return "\n".join(lines)


_VERDICTS = {None: "not measured", True: "met", False: "NOT MET"}


def _settled(seconds: list[float]) -> str:
    return f" and {statistics.median(seconds) * 1e3:.0f} ms to disk" if seconds else ""


def _span(quotient: dict[str, Any] | None) -> str:
    if quotient is None:
        return "-"
    if quotient["low"] is None:
        return f"{quotient['value']:.2f}"
    return f"{quotient['value']:.2f} ({quotient['low']:.2f}-{quotient['high']:.2f})"


def _goal_line(goal: dict[str, Any]) -> str:
    quotient = f"{_span(goal['ratio'])} {_VERDICTS[goal['met']]}"
    if goal["again"]:
        quotient += f"; each after itself: {_span(goal['again'])} {_VERDICTS[goal['again_met']]}"
    return f"goal: {goal['above']} / {goal['below']} <= {goal['most']}: {quotient}"
