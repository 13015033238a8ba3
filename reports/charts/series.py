"""The memory of N = 1, 2, 4, … instances, and the lines whose slopes are the costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reports import palette, units
from reports.charts.theme import Chart, safe, style

if TYPE_CHECKING:
    import pandas as pd

    from bench.stats import Fit
    from reports.model import View

COLUMNS = 3


def fits(view: View) -> list[Fit]:
    """Return the lines fitted to the memory scenario."""
    return [fit for fit in view.fits if fit.scenario == "memory"]


def series(view: View) -> Chart | None:
    """Return the chart of raw samples and fitted lines, one panel for each target; None without data."""
    table = view.select("memory", "pss")
    names = list(dict.fromkeys(table.target)) if "param_n" in table else []
    if not names:
        return None
    columns = min(COLUMNS, len(names))
    lines = math.ceil(len(names) / columns)
    drawn = make_subplots(rows=lines, cols=columns, vertical_spacing=0.34 / lines, horizontal_spacing=0.09,
                          subplot_titles=[_heading(view, name) for name in names])  # fmt: skip
    style(drawn, height=70 + 260 * lines, showlegend=False, margin={"l": 70, "r": 24, "t": 56, "b": 60})
    for place, name in enumerate(names):
        for trace in _panel(view, name):
            drawn.add_trace(trace, row=place // columns + 1, col=place % columns + 1)
    drawn.update_annotations(font={"size": 13, "color": palette.INK})
    drawn.update_xaxes(title={"text": "instances (N)"}, tick0=0, rangemode="tozero")
    drawn.update_yaxes(rangemode="tozero")
    drawn.update_yaxes(title={"text": "PSS of all (MiB)"}, col=1)
    caption = (
        "Every dot is one population of N instances, a cross an excluded one; the line is the "
        "fit whose slope is the cost of one more. Each panel has its own scale."
    )
    return Chart("memory-series", "The series behind the slopes", caption, drawn, width=300 * columns)


def _heading(view: View, name: str) -> str:
    slope = next((f.line.slope for f in fits(view) if (f.target, f.metric) == (name, "pss")), None)
    cost = f"PSS {units.quantity(slope.value, 'B')} each" if slope else "one N only, no line"
    return f"<b>{safe(view.boxes[name].label)}</b>: {cost}"


def _panel(view: View, name: str) -> list[Any]:
    table = view.select("memory", "pss")
    every = table[table.target == name]
    mine, excluded = every[every.excluded.isna()], every[every.excluded.notna()]
    colour = palette.target(name)
    traces: list[Any] = [
        go.Scatter(
            x=mine.param_n.tolist(), y=(mine.value / units.MIB).tolist(), mode="markers", name=name,
            meta={"role": "series"}, hoverinfo="text",
            marker={"color": palette.translucent(colour, 0.55), "size": 9,
                    "line": {"color": colour, "width": 1}},
            hovertext=[f"N = {n:g}, round {r}: {units.quantity(v, 'B')}"
                       for n, r, v in zip(mine.param_n, mine["round"], mine.value, strict=True)],
        )
    ]  # fmt: skip
    if len(excluded):
        traces.append(_crosses(excluded, name))
    for fit in fits(view):
        if (fit.target, fit.metric) == (name, "pss") and len(mine):
            ends = [0.0, float(mine.param_n.max())]
            heights = [fit.line.at(x) / units.MIB for x in ends]
            traces.append(go.Scatter(x=ends, y=heights, mode="lines", line={"color": colour, "width": 2},
                                     hoverinfo="skip", meta={"role": "fit"}))  # fmt: skip
    return traces


def _crosses(excluded: pd.DataFrame, name: str) -> go.Scatter:
    return go.Scatter(
        x=excluded.param_n.tolist(), y=(excluded.value / units.MIB).tolist(), mode="markers", name=name,
        meta={"role": "excluded"}, hoverinfo="text",
        marker={"symbol": "x-thin-open", "size": 9, "color": palette.MUTED, "line": {"width": 1.6}},
        hovertext=[f"excluded: {safe(str(reason))}" for reason in excluded.excluded],
    )  # fmt: skip
