"""Drift: every sample against its own median, in the order in which they were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from reports import palette, units
from reports.charts.theme import Chart, figure, safe

if TYPE_CHECKING:
    import pandas as pd

    from reports.model import View

CHOICES = (("startup", "ready"), ("cpu", "rate"))


def charts(view: View) -> list[Chart]:
    """Return the drift chart of the first scenario that has a metric for it."""
    for scenario, metric in CHOICES:
        chart = _drift(view, scenario, metric)
        if chart is not None:
            return [chart]
    return []


def _drift(view: View, scenario: str, metric: str) -> Chart | None:
    table = view.select(scenario, metric)
    counted = table[table.excluded.isna()]
    middles = counted.groupby("series").value.median()
    table = table.assign(relative=table.value / table.series.map(middles).astype(float))
    table = table[table.relative.notna() & (table.relative > 0)]
    traces = [
        _dots(str(name), group) for name, group in table.groupby("target", sort=False) if len(group) > 1
    ]
    if not traces:
        return None
    drawn = figure(traces, height=360, margin={"l": 84, "r": 24, "t": 24, "b": 64})
    drawn.update_xaxes(title={"text": "time since the start of the run (s)"})
    drawn.update_yaxes(title={"text": "sample / its median"})
    drawn.add_hline(y=1.0, line={"color": palette.INK, "width": 1, "dash": "dot"})
    caption = (
        f"{scenario}, {metric}: a trend or a step here would mean that the host changed during the run. "
        "Every value is divided by the median of its own target and work. Targets whose colours alternate "
        "were interleaved."
    )
    return Chart("drift", "Did the host hold still?", caption, drawn)


def _dots(name: str, table: pd.DataFrame) -> go.Scatter:
    colour = palette.target(name)
    return go.Scatter(
        x=table["at"].tolist(), y=table.relative.tolist(), mode="markers", name=safe(name),
        meta={"role": "drift"}, hoverinfo="text",
        marker={"size": 8, "color": palette.translucent(colour, 0.6), "line": {"color": colour, "width": 1}},
        hovertext=[f"{safe(series)}, round {turn}: {units.times(value)}" for series, turn, value
                   in zip(table.series, table["round"], table.relative, strict=True)],
    )  # fmt: skip
