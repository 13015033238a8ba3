"""Start and teardown: every raw sample on a log axis, and the ladder of phases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reports import palette, units
from reports.charts.theme import ROW, Chart, figure, row_label, rows, safe, style
from reports.model import series

if TYPE_CHECKING:
    import pandas as pd

    from bench.stats import Summary
    from reports.model import View

SCENARIO = "startup"
PHASES = ("created", "kernel", "init", "listening", "ready")
MEANING = {
    "created": "request → created (the call returned)",
    "kernel": "→ kernel (first sign of a guest's kernel)",
    "init": "→ init (first instruction of process 1)",
    "listening": "→ listening",
    "ready": "→ ready (first correct reply)",
}
LABEL_SHARE = 0.09  # a segment narrower than this share of its bar has no room for its number
GOLDEN = 0.618033988749895  # multiples of it modulo 1 spread points evenly, and the same way every time


def charts(view: View) -> list[Chart]:
    """Return the charts of the startup scenario that the run has data for."""
    found = [
        _distribution(view, "ready", "startup-ready", "Time from the request to the first correct reply"),
        _ladder(view),
        _distribution(view, "teardown", "startup-teardown", "Time from stop until nothing is left"),
    ]
    return [chart for chart in found if chart is not None]


def _distribution(view: View, metric: str, key: str, title: str) -> Chart | None:
    table = view.select(SCENARIO, metric)
    table = table[table.value > 0]  # a log axis has no zero
    names = list(dict.fromkeys(table.series))
    if not names:
        return None
    traces: list[Any] = []
    for row, name in enumerate(names):
        mine = table[table.series == name]
        counted, excluded = mine[mine.excluded.isna()], mine[mine.excluded.notna()]
        colour = palette.target(str(mine.target.iloc[0]))
        traces += [_dots(counted, row, name, colour)] if len(counted) else []
        traces += [_crosses(excluded, row, name)] if len(excluded) else []
    estimates = {series(s.target, s.params): s for s in view.of(SCENARIO, metric)}
    traces.append(_medians([(row, estimates[name]) for row, name in enumerate(names) if name in estimates]))
    drawn = figure(traces, height=90 + ROW * len(names) + 20, showlegend=False, xaxis=_log_axis(table.value))
    drawn.update_yaxes(**rows([_label(view, table, name) for name in names]))
    return Chart(key, title, _distribution_caption(table), drawn)


def _distribution_caption(table: pd.DataFrame) -> str:
    excluded = int(table.excluded.notna().sum())
    return (
        f"Every dot is one fresh start ({len(table) - excluded} counted). The bar with its number is the "
        f"median with its 95 % interval. Crosses are excluded samples ({excluded}); warm-ups are not drawn. "
        "The axis is logarithmic: each grid line is ten times the one before."
    )


def _dots(table: pd.DataFrame, row: int, name: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=table.value.tolist(), y=_spread(row, len(table)), name=name, mode="markers",
        meta={"role": "samples"},
        marker={"color": palette.translucent(colour, 0.55), "size": 8, "line": {"color": colour, "width": 1}},
        text=_hovers(table), hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _crosses(table: pd.DataFrame, row: int, name: str) -> go.Scatter:
    return go.Scatter(
        x=table.value.tolist(), y=_spread(row, len(table)), name=f"{name}, excluded", mode="markers",
        meta={"role": "excluded"},
        marker={"color": palette.MUTED, "size": 8, "symbol": "x-thin-open", "line": {"width": 1.6}},
        text=_hovers(table), hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _medians(found: list[tuple[int, Summary]]) -> go.Scatter:
    """Draw medians with their intervals above the dots of each row; the number is written there too."""
    known = [(row, s.estimate, s) for row, s in found if s.estimate is not None]
    return go.Scatter(
        x=[e.value for _, e, _ in known], y=[row - 0.22 for row, _, _ in known], mode="markers+text",
        name="median", meta={"role": "medians"},
        marker={"symbol": "line-ns-open", "size": 16, "color": palette.INK, "line": {"width": 3}},
        error_x={
            "type": "data", "symmetric": False, "color": palette.INK, "thickness": 2.5, "width": 0,
            "array": [e.high - e.value if e.high is not None else 0.0 for _, e, _ in known],
            "arrayminus": [e.value - e.low if e.low is not None else 0.0 for _, e, _ in known],
        },
        text=[f"  {units.quantity(e.value, 's')}" for _, e, _ in known], textposition="middle right",
        textfont={"size": 14, "color": palette.INK}, cliponaxis=False,
        hovertext=[f"{safe(s.target)}: median {units.quantity(e.value, 's')}, {100 * e.level:.0f} % interval "
                   f"{units.interval(e.low, e.high, 's')}, n = {e.n}" for _, e, s in known],
        hoverinfo="text",
    )  # fmt: skip


def _spread(row: int, count: int) -> list[float]:
    return [row + 0.04 + 0.36 * ((index * GOLDEN) % 1) for index in range(count)]


def _hovers(table: pd.DataFrame) -> list[str]:
    columns = (table[name].tolist() for name in ("series", "value", "round", "position", "at", "excluded"))
    return [
        f"{safe(name)}: {units.quantity(value, 's')}<br>round {turn}, position {position}, "
        f"{units.quantity(at, 's')} into the run"
        + (f"<br>excluded: {safe(excluded)}" if isinstance(excluded, str) else "")
        for name, value, turn, position, at, excluded in zip(*columns, strict=True)
    ]


def _log_axis(values: pd.Series[float]) -> dict[str, Any]:
    low, high = float(values.min()), float(values.max())
    marks, words = units.ticks(low, high, "s")
    pad = 0.06 * max(1.0, math.log10(high / low))
    return {
        "type": "log", "tickvals": marks, "ticktext": words, "title": {"text": "time, log scale (ms, s)"},
        "range": [math.log10(low) - pad, math.log10(high) + 2.5 * pad],
        "minor": {"showgrid": True, "gridcolor": "#eef1f4", "dtick": "D1"},
    }  # fmt: skip


def _label(view: View, table: pd.DataFrame, name: str) -> str:
    target = str(table[table.series == name].target.iloc[0])
    return row_label(view.boxes[target], name.removeprefix(target).strip())


@dataclass(frozen=True)
class Step:
    """One phase of one row: it begins at `start` and takes `seconds`, both from the request."""

    phase: str
    start: float
    seconds: float


def steps(medians: dict[str, float]) -> list[Step]:
    """Return the phases of a ladder from the medians of its marks (seconds since the request).

    Marks are taken in the order in which they happened: a call may return after process 1 runs.
    """
    found, before = [], 0.0
    for phase, at in sorted(medians.items(), key=lambda item: (item[1], PHASES.index(item[0]))):
        found.append(Step(phase, before, at - before))
        before = at
    return found


def _ladder(view: View) -> Chart | None:
    medians: dict[str, dict[str, float]] = {}
    targets: dict[str, str] = {}
    for s in view.of(SCENARIO):
        if s.metric in PHASES and s.estimate is not None:
            name = series(s.target, s.params)
            medians.setdefault(name, {})[s.metric] = s.estimate.value
            targets[name] = s.target
    names = [name for name, marks in medians.items() if max(marks.values()) > 0]
    if not names:
        return None
    drawn = make_subplots(rows=1, cols=2, column_widths=[0.88, 0.12], horizontal_spacing=0.01,
                          shared_yaxes=True)  # fmt: skip
    ladders = {name: steps(medians[name]) for name in names}
    for phase in PHASES:
        drawn.add_trace(_phase(phase, names, ladders), row=1, col=1)
    totals = [units.quantity(ladders[name][-1].start + ladders[name][-1].seconds, "s") for name in names]
    drawn.add_trace(go.Scatter(x=[0.0] * len(names), y=list(range(len(names))), text=totals, mode="text",
                               textposition="middle right", textfont={"size": 15}, hoverinfo="skip",
                               showlegend=False, cliponaxis=False, meta={"role": "totals"}),
                    row=1, col=2)  # fmt: skip
    style(drawn, height=120 + 52 * len(names) + 40, barmode="overlay")
    drawn.update_xaxes(range=[0, 1], tickformat=".0%", row=1, col=1, fixedrange=True,
                       title={"text": "share of the time from the request to ready"})  # fmt: skip
    drawn.update_xaxes(visible=False, range=[0, 1], row=1, col=2)
    labels = [
        row_label(view.boxes[targets[name]], name.removeprefix(targets[name]).strip()) for name in names
    ]
    drawn.update_yaxes(**rows(labels))
    caption = (
        "Where the time of a start goes, by the medians of the marks. Each bar is 100 % of its own row, "
        "since the rows differ by orders of magnitude; the number at its end is the whole, the numbers "
        "inside are phases. A target without a kernel of its own has no such phase."
    )
    return Chart("startup-ladder", "Where the time of a start goes", caption, drawn)


def _phase(phase: str, names: list[str], ladders: dict[str, list[Step]]) -> go.Bar:
    found = [(row, name, step) for row, name in enumerate(names) for step in ladders[name]
             if step.phase == phase]  # fmt: skip
    whole = {name: sum(step.seconds for step in ladders[name]) for name in names}
    dark = phase in {"listening", "ready"}
    return go.Bar(
        y=[row for row, _, _ in found], base=[step.start / whole[name] for _, name, step in found],
        x=[step.seconds / whole[name] for _, name, step in found], orientation="h", name=MEANING[phase],
        meta={"role": "phase"},
        marker={"color": palette.PHASES[phase], "line": {"color": "#fff", "width": 1}},
        text=[units.quantity(step.seconds, "s") if step.seconds / whole[name] >= LABEL_SHARE else ""
              for _, name, step in found],
        textposition="inside", insidetextanchor="middle", textangle=0, constraintext="none",
        textfont={"color": "#fff" if dark else palette.INK, "size": 13},
        hovertext=[f"{safe(name)}: {safe(MEANING[phase])}, {units.quantity(step.seconds, 's')} "
                   f"({units.percent(step.seconds / whole[name])})" for _, name, step in found],
        hoverinfo="text",
    )  # fmt: skip
