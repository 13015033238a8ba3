"""Memory: what one more instance costs, what that consists of, and the series that the costs come from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from bench import stats
from reports import palette, units
from reports.charts.series import fits, series
from reports.charts.theme import INTERVAL, ROW, Chart, errors, figure, row_label, rows, safe, style

if TYPE_CHECKING:
    from bench.stats import Estimate
    from reports.model import View

MEASURES = {
    "pss": ("PSS of its processes", "circle"),
    "charged": ("charged to its cgroup (anon, shmem, kernel)", "square-open"),
    "mem_available_drop": ("drop of the host's MemAvailable", "diamond-open"),
}
SUMMANDS = ("cgroup_anon", "cgroup_shmem", "cgroup_kernel")
CHARGED = {
    "cgroup_anon": "anonymous memory (cgroup)",
    "cgroup_shmem": "shared memory, tmpfs (cgroup)",
    "cgroup_kernel": "kernel memory (cgroup)",
    "unexplained": "unexplained rest",
}
MAPPED = {"uss": "only its own (USS)", "shared": "its part of shared pages (PSS less USS)"}


def charts(view: View) -> list[Chart]:
    """Return the charts of the memory scenario that the run has data for."""
    slopes = costs(view)
    found = [_costs(view, slopes), _ledger(view, slopes), series(view)]
    return [chart for chart in found if chart is not None]


def costs(view: View) -> dict[str, dict[str, Estimate]]:
    """Return bytes per further instance, by target and ledger line: the slopes of the fitted lines.

    A target of which a single N counted has no slope: there it is the total divided by N, which has no
    interval and holds what all instances share.
    """
    found: dict[str, dict[str, Estimate]] = {}
    for summary in view.of("memory"):
        number = float(summary.params.get("n", 1))
        if summary.estimate is not None and number > 0:
            whole = summary.estimate
            mean = stats.Estimate(whole.value / number, None, None, 0.0, whole.n, "none")
            found.setdefault(summary.target, {})[summary.metric] = mean
    for fit in fits(view):
        found[fit.target][fit.metric] = fit.line.slope
    return {target: _with_charged(lines) for target, lines in found.items()}


def averaged(view: View) -> list[str]:
    """Return the targets whose cost is a total divided by N."""
    fitted = {fit.target for fit in fits(view)}
    return [name for name in costs(view) if name not in fitted]


def _with_charged(lines: dict[str, Estimate]) -> dict[str, Estimate]:
    """Add the sum of what a cgroup charges. Least squares are linear: it is the slope of the sum, too."""
    parts = [lines[key] for key in SUMMANDS if key in lines]
    if not parts:
        return lines
    total = sum(part.value for part in parts)
    return {**lines, "charged": stats.Estimate(total, None, None, 0.0, parts[0].n, "none")}


def _costs(view: View, slopes: dict[str, dict[str, Estimate]]) -> Chart | None:
    names = [name for name, lines in slopes.items() if any(_positive(lines, m) for m in MEASURES)]
    if not names:
        return None
    traces = [_measure(measure, names, slopes) for measure in MEASURES]
    values = [lines[m].value for lines in (slopes[n] for n in names) for m in MEASURES if _positive(lines, m)]
    drawn = figure(traces, height=130 + ROW * len(names), xaxis=_size_axis(min(values), max(values)))
    drawn.update_yaxes(**rows([row_label(view.boxes[name]) for name in names]))
    caption = (
        f"The slope of a straight line over the number of instances, with its {INTERVAL}; "
        "logarithmic axis. The measures answer different questions: what the processes map (shared pages "
        "divided among their users), what the kernel charges, and what the host lost, which other "
        "programs move as well. "
        "A slope that is not positive can't be drawn here and stands in the table." + _note(view)
    )
    return Chart("memory-cost", "What one more idle instance costs", caption, drawn)


def _note(view: View) -> str:
    names = ", ".join(view.boxes[name].label for name in averaged(view))
    return (
        f" {names}: only one N counted, so this is the total divided by N, without an interval."
        if names
        else ""
    )


def _positive(lines: dict[str, Estimate], metric: str) -> bool:
    return metric in lines and lines[metric].value > 0


def _measure(measure: str, names: list[str], slopes: dict[str, dict[str, Estimate]]) -> go.Scatter:
    words, symbol = MEASURES[measure]
    found = [(row, n, slopes[n][measure]) for row, n in enumerate(names) if _positive(slopes[n], measure)]
    shift = (list(MEASURES).index(measure) - 1) * 0.2
    # The lower end of an interval may be negative, which a log axis can't show: it then ends at the edge.
    floor = 0.02 * min((e.value for _, _, e in found), default=1.0)
    return go.Scatter(
        x=[e.value for _, _, e in found], y=[row + shift for row, _, _ in found], name=words,
        mode="markers+text" if shift < 0 else "markers", meta={"role": "costs"},
        marker={"symbol": symbol, "size": 11, "color": [palette.target(n) for _, n, _ in found],
                "line": {"width": 1.5, "color": [palette.target(n) for _, n, _ in found]}},
        error_x={"thickness": 1.5, "width": 0, "color": palette.MUTED,
                 **errors([e for _, _, e in found], floor=floor)},
        text=[f"   {units.quantity(e.value, 'B')}" for _, _, e in found], textposition="middle right",
        cliponaxis=False, hoverinfo="text",
        hovertext=[f"{safe(n)}, {safe(words)}: {units.quantity(e.value, 'B')} each, interval "
                   f"{units.interval(e.low, e.high, 'B')}, n = {e.n}" for _, n, e in found],
    )  # fmt: skip


def _size_axis(low: float, high: float) -> dict[str, Any]:
    marks, words = units.ticks(low / units.MIB, high / units.MIB, "1")
    return {
        "type": "log", "title": {"text": "memory per further instance, log scale (MiB)"},
        "tickvals": [mark * units.MIB for mark in marks], "ticktext": [f"{word} MiB" for word in words],
        "range": [math.log10(low) - 0.4, math.log10(high) + 0.7],
    }  # fmt: skip


def composition(lines: dict[str, Estimate]) -> tuple[dict[str, str], dict[str, float]]:
    """Return the lines that add up, with their names and bytes per instance (never below zero).

    What cgroups charge adds up with the rest to the drop of MemAvailable; where nothing is charged, what
    the processes map is all that is known.
    """
    if "cgroup_anon" in lines:
        return CHARGED, {key: max(0.0, lines[key].value) for key in CHARGED if key in lines}
    if "pss" not in lines or "uss" not in lines:
        return MAPPED, {}
    own, mapped = max(0.0, lines["uss"].value), max(0.0, lines["pss"].value)
    return MAPPED, {"uss": own, "shared": max(0.0, mapped - own)}


def _ledger(view: View, slopes: dict[str, dict[str, Estimate]]) -> Chart | None:
    parts = {name: composition(lines) for name, lines in slopes.items()}
    names = [name for name, (_, amounts) in parts.items() if sum(amounts.values()) > 0]
    if not names:
        return None
    drawn = go.Figure()
    for key, words in {**CHARGED, **MAPPED}.items():
        shown = {name: parts[name][1] for name in names if key in parts[name][1]}
        if shown:
            drawn.add_trace(_part(key, words, names, shown))
    totals = [f"  {units.quantity(sum(parts[name][1].values()), 'B')}" for name in names]
    drawn.add_trace(
        go.Scatter(x=[1.0] * len(names), y=list(range(len(names))), mode="text", text=totals,
                   textposition="middle right", cliponaxis=False, hoverinfo="skip", showlegend=False,
                   meta={"role": "totals"}))  # fmt: skip
    style(drawn, height=150 + 52 * len(names), barmode="stack", legend_traceorder="normal")
    drawn.update_layout(margin={"l": 175, "r": 110, "t": 24, "b": 64})
    drawn.update_xaxes(
        range=[0, 1], tickformat=".0%", title={"text": "share of the cost of one more instance"}
    )
    drawn.update_yaxes(**rows([row_label(view.boxes[name]) for name in names]))
    caption = (
        "The ledger of one more instance: the lines that add up, each bar 100 % of its own row, the sum at "
        "its end. Page cache is not in it, since the kernel can take it back at any time. The unexplained "
        "rest is what the host lost and no cgroup accounts for; a negative one is not drawn."
    )
    return Chart("memory-ledger", "What that cost consists of", caption, drawn)


def _part(key: str, words: str, names: list[str], shown: dict[str, dict[str, float]]) -> go.Bar:
    shares = {name: lines[key] / (sum(lines.values()) or 1.0) for name, lines in shown.items()}
    return go.Bar(
        x=list(shares.values()), y=[names.index(name) for name in shares], orientation="h", name=words,
        meta={"role": "ledger"},
        marker={"color": palette.LEDGER[key], "line": {"color": "#fff", "width": 1},
                "pattern": {"shape": "/" if key == "unexplained" else "", "fgcolor": palette.MUTED}},
        text=[units.quantity(shown[n][key], "B") for n in shares],
        textposition="inside", insidetextanchor="middle", textangle=0,
        textfont={"color": "#fff" if key in {"cgroup_anon", "uss"} else palette.INK, "size": 13},
        hovertext=[f"{safe(n)}, {safe(words)}: {units.quantity(shown[n][key], 'B')} "
                   f"({units.percent(share)})" for n, share in shares.items()],
        hoverinfo="text",
    )  # fmt: skip
