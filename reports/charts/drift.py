"""Drift: every sample against its own median, in the order in which they were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from reports import palette, units
from reports.charts.theme import Chart, figure, safe

if TYPE_CHECKING:
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
    traces = []
    for name, group in table.groupby("series", sort=False):
        middle = group[group.excluded.isna()].value.median()
        if middle > 0 and len(group) > 1:
            colour = palette.target(str(group.target.iloc[0]))
            traces.append(
                go.Scatter(
                    x=group["at"].tolist(), y=(group.value / middle).tolist(), mode="markers",
                    name=safe(str(name)), meta={"role": "drift"}, hoverinfo="text",
                    marker={"size": 8, "color": palette.translucent(colour, 0.6),
                            "line": {"color": colour, "width": 1}},
                    hovertext=[f"{safe(str(name))}, round {r}: {units.times(v / middle)}"
                               for r, v in zip(group["round"], group.value, strict=True)],
                ))  # fmt: skip
    if not traces:
        return None
    drawn = figure(traces, height=360, margin={"l": 84, "r": 24, "t": 24, "b": 64})
    drawn.update_xaxes(title={"text": "time since the start of the run (s)"})
    drawn.update_yaxes(title={"text": "sample / median of its target"})
    drawn.add_hline(y=1.0, line={"color": palette.INK, "width": 1, "dash": "dot"})
    caption = (
        f"{scenario}, {metric}: a trend or a step here would mean that the host changed during the run. "
        "Targets whose colours alternate were interleaved."
    )
    return Chart("drift", "Did the host hold still?", caption, drawn)
