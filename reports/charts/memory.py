"""Memory: what one more instance costs, what that consists of, and the series that the costs come from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from bench import stats
from reports import palette, units
from reports.charts.ledger import CHARGED, below_noise, ledger
from reports.charts.series import fits, series
from reports.charts.theme import INTERVAL, ROW, Chart, errors, figure, row_label, rows, safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.stats import Estimate
    from reports.model import View

MEASURES = {
    "footprint": ("PSS and kernel memory", "circle"),
    "pss": ("PSS alone", "circle-open"),
    "charged": ("charged to its cgroup", "square-open"),
    "mem_available_drop": ("drop of MemAvailable", "diamond-open"),
}
HOST_WIDE = "mem_available_drop"
KERNEL = "cgroup_kernel"


def charts(view: View) -> list[Chart]:
    """Return the charts of the memory scenario that the run has data for."""
    slopes = costs(view)
    found = [_costs(view, slopes), ledger(view, slopes), series(view)]
    return [chart for chart in found if chart is not None]


def costs(view: View) -> dict[str, dict[str, Estimate]]:
    """Return bytes per further instance, by target and ledger line: the slopes of the fitted lines.

    A target of which a single N counted has no slope: there it is the total divided by N, which has no
    interval and holds what all instances share. A line without a slope beside others that have one is left
    out: the two can't be compared.
    """
    fitted = {fit.target for fit in fits(view)}
    found: dict[str, dict[str, Estimate]] = {summary.target: {} for summary in view.of("memory")}
    for summary in view.of("memory"):
        number = float(summary.params.get("n", 1))
        if summary.estimate is not None and summary.target not in fitted and number > 0:
            whole = summary.estimate
            mean = stats.Estimate(whole.value / number, None, None, 0.0, whole.n, "none")
            found[summary.target][summary.metric] = mean
    for fit in fits(view):
        found[fit.target][fit.metric] = fit.line.slope
    return {target: _with_sums(lines) for target, lines in found.items()}


def averaged(view: View) -> list[str]:
    """Return the targets whose cost is a total divided by N."""
    fitted = {fit.target for fit in fits(view)}
    return [name for name in costs(view) if name not in fitted]


def _with_sums(lines: dict[str, Estimate]) -> dict[str, Estimate]:
    """Add what no run holds: the sum of what a cgroup charges, and PSS and kernel memory in runs of old.

    Least squares are linear: the sum of slopes is the slope of the sum, too.
    """
    sums = {"charged": _sum(lines, CHARGED)}
    if lines.keys() >= {"pss", KERNEL} and lines[KERNEL].value > 0:
        sums["footprint"] = _sum(lines, ("pss", KERNEL))
    return {**{key: one for key, one in sums.items() if one is not None}, **lines}


def _sum(lines: dict[str, Estimate], keys: Iterable[str]) -> Estimate | None:
    parts = [lines[key] for key in keys if key in lines]
    if not parts:
        return None
    return stats.Estimate(sum(part.value for part in parts), None, None, 0.0, parts[0].n, "none")


def _costs(view: View, slopes: dict[str, dict[str, Estimate]]) -> Chart | None:
    names = [name for name, lines in slopes.items() if any(_drawable(lines, m) for m in MEASURES)]
    if not names:
        return None
    traces = [_measure(measure, names, slopes) for measure in MEASURES]
    values = [lines[m].value for lines in (slopes[n] for n in names) for m in MEASURES if _drawable(lines, m)]
    drawn = figure(traces, height=130 + ROW * len(names), xaxis=_size_axis(min(values), max(values)))
    drawn.update_yaxes(**rows([row_label(view.boxes[name]) for name in names]))
    caption = (
        f"The slope of a straight line over the number of instances, with its {INTERVAL}; "
        "logarithmic axis. The measures answer different questions: what the processes map (shared pages "
        "divided among their users), with and without what the kernel keeps for them, what the kernel "
        "charges (anon, shmem, kernel), and what the host lost, which other programs move as well. "
        "What is not drawn stands in the table." + _unsure(view, slopes) + _note(view)
    )
    return Chart("memory-cost", "What one more idle instance costs", caption, drawn)


def _note(view: View) -> str:
    names = ", ".join(view.boxes[name].label for name in averaged(view))
    return (
        f" {names}: only one N counted, so this is the total divided by N, without an interval."
        if names
        else ""
    )


def _drawable(lines: dict[str, Estimate], metric: str) -> bool:
    """Tell whether a slope can stand on a log axis; the whole host moves MemAvailable, so it must be sure."""
    if metric not in lines or lines[metric].value <= 0:
        return False
    return metric != HOST_WIDE or not below_noise(lines[metric])


def _unsure(view: View, slopes: dict[str, dict[str, Estimate]]) -> str:
    names = [view.boxes[name].label for name, lines in slopes.items()
             if HOST_WIDE in lines and not _drawable(lines, HOST_WIDE)]  # fmt: skip
    return (
        f" Below the noise of MemAvailable, so not drawn (interval contains zero, or no drop): "
        f"{', '.join(names)}."
        if names
        else ""
    )


def _measure(measure: str, names: list[str], slopes: dict[str, dict[str, Estimate]]) -> go.Scatter:
    words, symbol = MEASURES[measure]
    found = [(row, n, slopes[n][measure]) for row, n in enumerate(names) if _drawable(slopes[n], measure)]
    shift = (list(MEASURES).index(measure) - 1.5) * 0.18
    # The lower end of an interval may be negative, which a log axis can't show: it then ends at the edge.
    floor = 0.02 * min((e.value for _, _, e in found), default=1.0)
    return go.Scatter(
        x=[e.value for _, _, e in found], y=[row + shift for row, _, _ in found], name=words,
        mode="markers+text", meta={"role": "costs"},
        marker={"symbol": symbol, "size": 11, "color": [palette.target(n) for _, n, _ in found],
                "line": {"width": 1.5, "color": [palette.target(n) for _, n, _ in found]}},
        error_x={"thickness": 1.5, "width": 0, "color": palette.MUTED,
                 **errors([e for _, _, e in found], floor=floor)},
        text=[_label(slopes[n], measure) for _, n, _ in found], textposition="middle right",
        cliponaxis=False, hoverinfo="text",
        hovertext=[f"{safe(n)}, {safe(words)}: {units.quantity(e.value, 'B')} each, interval "
                   f"{units.interval(e.low, e.high, 'B')}, n = {e.n}" for _, n, e in found],
    )  # fmt: skip


def _label(lines: dict[str, Estimate], measure: str) -> str:
    """Return the figure beside a mark: one in each row, that of the first measure which it has."""
    first = next(m for m in MEASURES if _drawable(lines, m))
    return f"   {units.quantity(lines[measure].value, 'B')}" if measure == first else ""


def _size_axis(low: float, high: float) -> dict[str, Any]:
    marks, words = units.ticks(low / units.MIB, high / units.MIB, "1")
    return {
        "type": "log", "title": {"text": "memory per further instance, log scale (MiB)"},
        "tickvals": [mark * units.MIB for mark in marks], "ticktext": [f"{word} MiB" for word in words],
        "range": [math.log10(low) - 0.4, math.log10(high) + 0.7],
    }  # fmt: skip
