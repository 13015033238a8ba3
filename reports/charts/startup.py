"""Start and teardown: every raw sample on a log axis, and the ladder of phases."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from reports import palette, units
from reports.charts.ladder import ladder
from reports.charts.theme import INTERVAL, ROW, Chart, errors, figure, row_label, rows, safe
from reports.model import series

if TYPE_CHECKING:
    import pandas as pd

    from bench.stats import Estimate, Summary
    from reports.model import View

SCENARIO = "startup"
GOLDEN = 0.618033988749895  # multiples of it modulo 1 spread points evenly, and the same way every time
ABOVE = 0.22  # rows by which a median lies above the middle of its row; the dots lie below


def charts(view: View) -> list[Chart]:
    """Return the charts of the startup scenario that the run has data for."""
    found = [
        _distribution(view, "ready", "startup-ready", "Time from the request to the first correct reply"),
        ladder(view),
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
    known = [
        (row, s, s.estimate) for row, name in enumerate(names) if (s := estimates.get(name)) and s.estimate
    ]
    traces += [_medians(known), _numbers(known)]
    drawn = figure(traces, height=90 + ROW * len(names) + 20, showlegend=False, xaxis=_log_axis(table.value))
    drawn.update_yaxes(**rows([_label(view, table, name) for name in names]))
    return Chart(key, title, _distribution_caption(table), drawn)


def _distribution_caption(table: pd.DataFrame) -> str:
    excluded = int(table.excluded.notna().sum())
    return (
        f"Every dot is one fresh start ({len(table) - excluded} counted). The bar with its number is the "
        f"median with its {INTERVAL}. "
        f"Crosses are excluded samples ({excluded}); warm-ups are not drawn. "
        "The axis is logarithmic: equal distances are equal factors."
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


def _medians(known: list[tuple[int, Summary, Estimate]]) -> go.Scatter:
    """Draw medians with their intervals above the dots of each row."""
    return go.Scatter(
        x=[e.value for _, _, e in known], y=[row - ABOVE for row, _, _ in known], mode="markers",
        name="median", meta={"role": "medians"},
        marker={"symbol": "line-ns-open", "size": 16, "color": palette.INK, "line": {"width": 3}},
        error_x={
            "color": palette.INK, "thickness": 2.5, "width": 0,
            **errors([e for _, _, e in known]),
        },
        hovertext=[f"{safe(s.target)}: median {units.quantity(e.value, 's')}, {100 * e.level:.0f} % interval "
                   f"{units.interval(e.low, e.high, 's')}, n = {e.n}" for _, s, e in known],
        hoverinfo="text",
    )  # fmt: skip


def _numbers(known: list[tuple[int, Summary, Estimate]]) -> go.Scatter:
    """Write each median behind the end of its interval, which may be far from its mark."""
    return go.Scatter(
        x=[e.high or e.value for _, _, e in known], y=[row - ABOVE for row, _, _ in known], mode="text",
        text=[f"   {units.quantity(e.value, 's')}" for _, _, e in known], textposition="middle right",
        textfont={"size": 14, "color": palette.INK}, cliponaxis=False, hoverinfo="skip",
        name="median", meta={"role": "numbers"},
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
    if high / low < units.HUNDREDFOLD:  # so narrow that the data alone may lie between two marks
        high = max(high, marks[-1])
    low = min(low, marks[0])
    pad = 0.04 * max(0.3, math.log10(high / low))  # on the right there is room for the number beside a median
    return {
        "type": "log", "tickvals": marks, "ticktext": words, "title": {"text": "time, log scale (ms, s)"},
        "range": [math.log10(low) - pad, math.log10(high) + 3 * pad],
        "minor": {"showgrid": True, "gridcolor": "#eef1f4", "dtick": "D1"},
    }  # fmt: skip


def _label(view: View, table: pd.DataFrame, name: str) -> str:
    target = str(table[table.series == name].target.iloc[0])
    return row_label(view.boxes[target], name.removeprefix(target).strip())
