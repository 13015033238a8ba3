"""How far the numbers of a run can be trusted: its A/A gate, and what measuring itself costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.stats import median
from bench.stats.gate import FEWEST
from reports import units
from reports.model import series
from reports.tables import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.results import Calibration
    from bench.stats.gate import Gate
    from reports.model import View

KINDS = {
    "null": "the harness alone (null target), request to first reply",
    "bare process": "the agent as a child of the harness, request to first reply",
    "echo": "echo: a request and its reply",
}
DURATION = "s"


def gates(view: View) -> list[Table]:
    """Return what every measurement with enough runs can detect, and whether its target is like itself."""
    rows = tuple(_gate(view, gate) for gate in view.gates)
    if not rows:
        return []
    words = (
        "A/A gate: the runs of one target, dealt out to two groups as if they were two targets. A difference "
        "between these below the first share can't be told from none; one of the second share is found in "
        "95 % of such runs. What targets share of a round cancels in a comparison of the two, which names "
        "what it detects itself. p is adjusted for all rows (Holm)."
    )
    without = sum(s.estimate is not None for s in view.summaries) - len(rows)
    if without:
        words += (
            f" {without} other figures have fewer than the {FEWEST} runs that it takes, or are not positive."
        )
    head = (
        "target",
        "what",
        "n",
        "A/A ratio",
        "interval",
        "p",
        "none told below",
        "detectable",
        "like itself",
    )
    return [Table(words, head, rows)]


def _gate(view: View, gate: Gate) -> tuple[Cell, ...]:
    what = series(f"{gate.scenario} {gate.metric}", gate.params)
    return (
        Cell(gate.target, box=view.boxes[gate.target]), Cell(what), _number(str(gate.n)),
        _number(units.times(gate.ratio.value)), _number(units.interval(gate.ratio.low, gate.ratio.high, "1")),
        _number(units.significant(gate.p)), _number(units.percent(gate.floor)),
        _number(units.percent(gate.detectable)), Cell("yes" if gate.passed else "no"),
    )  # fmt: skip


def costs(view: View) -> list[Table]:
    """Return what measuring costs, also as a share of the smallest duration that was measured."""
    smallest = min(_durations(view), default=None)
    rows = tuple(_cost(view, one, smallest) for one in view.run.calibrations if one.samples)
    if not rows:
        return []
    words = "What measuring costs. It is in the numbers above and is not taken off them."
    if smallest is not None:
        words += f" The smallest median duration of this run is {units.quantity(smallest, DURATION)}."
    head = ("what", "channel", "in an instance of", "median", "interval", "n", "share of the smallest")
    return [Table(words, head, rows)]


def _cost(view: View, one: Calibration, smallest: float | None) -> tuple[Cell, ...]:
    found = median(one.samples)
    share = units.percent(found.value / smallest) if smallest else units.MISSING
    box = view.boxes.get(one.target)
    return (
        Cell(KINDS[one.kind]), Cell(one.channel), Cell(one.target or "no box", box=box),
        _number(_microseconds(found.value)), _number(_between(found.low, found.high)),
        _number(str(found.n)), _number(share),
    )  # fmt: skip


def _durations(view: View) -> Iterable[float]:
    return (s.estimate.value for s in view.summaries if s.unit == DURATION and s.estimate)


def limits(view: View) -> list[str]:
    """Return a sentence on the smallest differences in readiness that the run can detect."""
    if not view.gates:
        return [
            f"How small a difference it can detect is not known: an A/A gate takes {FEWEST} runs that count."
        ]
    found = [g for g in view.gates if (g.scenario, g.metric) == ("startup", "ready")]
    if not found:
        return []
    parts = ", ".join(f"{view.boxes[g.target].label} {units.percent(g.detectable)}" for g in found)
    rest = [s for s in view.of("startup", "ready") if s.target not in {g.target for g in found}]
    names = ", ".join(view.boxes[name].label for name in dict.fromkeys(s.target for s in rest))
    more = f" Of {names} it is not known: that takes {FEWEST} runs that count." if names else ""
    return [f"Smallest difference in that time which this run can detect: {parts}.{more}"]


def _microseconds(value: float) -> str:
    return f"{units.significant(1e6 * value)} µs"


def _between(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return units.MISSING
    return f"{units.significant(1e6 * low)} to {_microseconds(high)}"


def _number(text: str) -> Cell:
    return Cell(text, numeric=True)
