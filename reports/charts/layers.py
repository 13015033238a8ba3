"""Layers: what N images on one base take on the disk and in page caches, by the way they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reports import palette, units
from reports.charts.theme import Chart, safe, style

if TYPE_CHECKING:
    import pandas as pd

    from reports.model import View

SCENARIO = "layers"
PANELS = {
    "disk": "on the disk (unique blocks)",
    "page_cache": "in the host's page cache",
    "guest_cache": "in the guests' page caches",
}
# Shared storage is drawn solid, its counterfactual with copies dashed; hue follows the kind of box.
LOOKS = {
    "layers": ("shared layers", "#0072b2", "solid", "circle"),
    "flattened": ("a flattened copy each", "#56b4e9", "dash", "circle-open"),
    "qcow2-linked": ("VM disks linked to one base", "#d55e00", "solid", "square"),
    "qcow2-full": ("a full VM disk each", "#e69f00", "dash", "square-open"),
}


def charts(view: View) -> list[Chart]:
    """Return the chart of the layers scenario, if the run has data for it."""
    table = view.samples
    if "param_layout" not in table or "param_n" not in table:
        return []
    table = table[(table.scenario == SCENARIO) & table.excluded.isna() & ~table.warmup.astype(bool)]
    panels = [metric for metric in PANELS if (table.metric == metric).any()]
    if not panels:
        return []
    drawn = make_subplots(rows=1, cols=len(panels), subplot_titles=[f"<b>{PANELS[m]}</b>" for m in panels],
                          horizontal_spacing=0.07)  # fmt: skip
    style(drawn, height=430, margin={"l": 70, "r": 24, "t": 60, "b": 64},
          legend={"orientation": "h", "x": 0, "y": 1.12, "yanchor": "bottom"})  # fmt: skip
    seen: set[str] = set()
    for column, metric in enumerate(panels, start=1):
        for trace in _panel(table[table.metric == metric], seen):
            drawn.add_trace(trace, row=1, col=column)
    drawn.update_annotations(font={"size": 13, "color": palette.INK})
    drawn.update_xaxes(title={"text": "instances (N)"}, rangemode="tozero")
    drawn.update_yaxes(rangemode="tozero")
    drawn.update_yaxes(title={"text": "MiB"}, col=1)
    return [Chart("layers", "What N images on one base take", _caption(view), drawn, width=820)]


def _panel(table: pd.DataFrame, seen: set[str]) -> list[Any]:
    traces: list[Any] = []
    for layout in dict.fromkeys(table.param_layout):
        words, colour, dash, symbol = LOOKS.get(layout, (layout, palette.target(layout), "dot", "diamond"))
        mine = table[table.param_layout == layout]
        medians = (mine.groupby("param_n").value.median() / units.MIB).sort_index()
        traces.append(
            go.Scatter(x=medians.index.tolist(), y=medians.tolist(), mode="lines", legendgroup=layout,
                       line={"color": colour, "width": 2, "dash": dash}, showlegend=False,
                       hoverinfo="skip", meta={"role": "medians"}))  # fmt: skip
        traces.append(
            go.Scatter(
                x=mine.param_n.tolist(), y=(mine.value / units.MIB).tolist(), mode="markers",
                name=safe(words), legendgroup=layout, showlegend=layout not in seen,
                marker={"color": colour, "size": 9, "symbol": symbol,
                        "line": {"color": colour, "width": 1.5}},
                meta={"role": "samples"}, hoverinfo="text",
                hovertext=[f"{safe(words)}, N = {n:g}: {units.quantity(v, 'B')}"
                           for n, v in zip(mine.param_n, mine.value, strict=True)],
            ))  # fmt: skip
        seen.add(layout)
    return traces


def _caption(view: View) -> str:
    named = {m.target for m in view.run.measurements if m.scenario == SCENARIO and m.samples}
    boxes = ", ".join(view.boxes[name].label for name in view.boxes if name in named)
    return (
        "Dots are samples, lines join their medians. Solid: one base is shared. Dashed: the counterfactual, "
        "a copy for everyone. Residency is asked of the kernel page by page, not inferred from free memory. "
        f"Measured on {boxes}."
    )
