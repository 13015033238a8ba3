"""The common look of all charts, and the value that a chart is."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from reports import palette

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.stats import Estimate
    from reports.model import Box

FONT = '"Inter", "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif'
ROW = 62  # pixels of height for one row of a horizontal chart
LONGEST = 36  # characters of a row label's second line
INTERVAL = "interval (95 %, unless the table says less)"
EMULATED_NOTE = "emulated: shown, not judged"


@dataclass(frozen=True)
class Chart:
    """A figure with the words around it. `key` names it on the command line and in the page.

    `width` is the least width in pixels at which it can be read; narrower screens scroll.
    """

    key: str
    title: str
    caption: str
    figure: go.Figure
    width: int = 320


def figure(traces: Sequence[Any], *, height: int, **layout: Any) -> go.Figure:  # noqa: ANN401 - plotly's own
    """Return a figure in the common look; `layout` overrides it."""
    drawn = go.Figure(data=list(traces))
    style(drawn, height=height, **layout)
    return drawn


def style(drawn: go.Figure, *, height: int, **layout: Any) -> None:  # noqa: ANN401 - plotly's own
    """Give a figure (also one made of subplots) the common look."""
    drawn.update_layout(
        template="none",
        height=height,
        font={"family": FONT, "size": 14, "color": palette.INK},
        paper_bgcolor=palette.PAPER,
        plot_bgcolor=palette.PAPER,
        margin={"l": 175, "r": 24, "t": 24, "b": 64},
        hoverlabel={"bgcolor": palette.PAPER, "bordercolor": palette.MUTED, "font": {"family": FONT}},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"size": 13}},
        bargap=0.38,
        # Numbers that do not fit into their bars are left out, not shrunk: hover and table have them.
        uniformtext={"minsize": 11, "mode": "hide"},
    )
    title = {"font": {"size": 13, "color": palette.MUTED}, "standoff": 12}
    axis = {
        "title": title,
        "tickangle": 0,
        "gridcolor": palette.RULE,
        "zeroline": False,
        "linecolor": palette.MUTED,
        "automargin": True,
    }
    drawn.update_xaxes(ticks="outside", tickcolor=palette.RULE, showline=True, **axis)
    drawn.update_yaxes(**axis)
    drawn.update_layout(**layout)


def rows(labels: Sequence[str]) -> dict[str, Any]:
    """Return a y axis with one named row per label, the first on top, without grid lines."""
    return {
        "tickmode": "array",
        "tickvals": list(range(len(labels))),
        "ticktext": list(labels),
        "range": [len(labels) - 0.5, -0.5],
        "showgrid": False,
        "showline": False,
        "fixedrange": True,
    }


def row_label(box: Box, extra: str = "") -> str:
    """Return the two-line label of a row: the name, then its accelerator and what it is."""
    second = " · ".join(filter(None, (box.accelerator, _flavour(box), extra)))
    size = f"<span style='font-size:11px;color:{palette.MUTED}'>{safe(second)}</span>"
    return f"<b>{safe(box.name)}</b><br>{size}" if second else f"<b>{safe(box.name)}</b>"


def _flavour(box: Box) -> str:
    """Return what the title says beyond the name: `virtual machine (q35, …)` is a VM by its label already."""
    title = box.target.title.strip()
    kind, _, inner = title.removesuffix(")").partition(" (")
    if inner and kind.lower() in {"virtual machine", "vm", box.name.lower()}:
        title = inner
    title = title.removeprefix("VM, ")
    if title.lower() == box.name.lower():
        return ""
    return title if len(title) <= LONGEST else f"{title[: LONGEST - 1]}…"


def errors(estimates: Sequence[Estimate], *, floor: float = -math.inf) -> dict[str, Any]:
    """Return error bars from the intervals; an estimate without one gets none. No end goes below `floor`."""
    return {
        "type": "data",
        "visible": any(e.has_interval for e in estimates),
        "symmetric": False,
        "array": [None if e.high is None else e.high - e.value for e in estimates],
        "arrayminus": [None if e.low is None else e.value - max(e.low, floor) for e in estimates],
    }


def safe(text: str) -> str:
    """Escape text for plotly, whose labels and hovers are a small HTML; `%{` would start a template."""
    return html.escape(text, quote=False).replace("%{", "% {")
