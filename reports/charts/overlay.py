"""Overlay: what a write costs by the file's size, and what a lookup costs by the number of layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from reports import palette, units
from reports.charts.theme import Chart, figure, safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from reports.model import View


@dataclass(frozen=True)
class Question:
    """A chart of seconds over a parameter; `lines` are (metric, place), how they are called and drawn."""

    scenario: str
    over: str
    title: str
    axis: str
    caption: str
    lines: Mapping[tuple[str, str], tuple[str, str, str]]


SHARED, PLAIN, KEPT = "#0072b2", "#d55e00", "#009e73"
QUESTIONS = (
    Question(
        "copy-on-write", "size", "What a write of one byte costs by the file's size", "file size (MiB)",
        "The first write copies the whole file into the writable layer, the second finds it there; a file on "
        "a volume is never copied. Dots are samples, lines join their medians; both axes are logarithmic. "
        "Every time holds the start of the shell that writes.",
        {("first_write", "overlay"): ("first write", SHARED, "solid"),
         ("second_write", "overlay"): ("second write", KEPT, "dash"),
         ("first_write", "volume"): ("first write on a volume", PLAIN, "dot")},
    ),
    Question(
        "overlay-lookup", "layers", "What a lookup costs by the number of layers", "layers",
        "The first lookup of a name asks layer after layer, the next finds the answer kept; in a directory "
        "of one layer only that is asked. Dots are samples, lines join their medians; both axes are "
        "logarithmic. Every time holds the shell's own loop.",
        {("first_lookup", "every layer"): ("first lookup", SHARED, "solid"),
         ("next_lookup", "every layer"): ("next lookup", KEPT, "dash"),
         ("first_lookup", "one layer"): ("first lookup in a directory of one layer", PLAIN, "dot")},
    ),
)  # fmt: skip


def charts(view: View) -> list[Chart]:
    """Return the charts that the run has data for."""
    return [chart for chart in (_chart(view, question) for question in QUESTIONS) if chart]


def _chart(view: View, question: Question) -> Chart | None:
    traces = [trace for key in question.lines for trace in _line(view, question, *key)]
    if not traces:
        return None
    drawn = figure(traces, height=430, margin={"l": 80, "r": 24, "t": 40, "b": 64})
    drawn.update_xaxes(type="log", title={"text": question.axis})
    values = [value for trace in traces for value in trace.y]
    marks, labels = units.ticks(min(values), max(values), "s")
    drawn.update_yaxes(type="log", tickmode="array", tickvals=marks, ticktext=labels)
    return Chart(question.scenario, question.title, question.caption, drawn, width=560)


def _line(view: View, question: Question, metric: str, place: str) -> list[Any]:
    table = view.select(question.scenario, metric)
    over = f"param_{question.over}"
    if over not in table or "param_place" not in table:
        return []
    mine = table[(table.param_place == place) & table.excluded.isna() & (table.value > 0)]  # log axes
    words, colour, dash = question.lines[metric, place]
    return _traces(mine.assign(x=mine[over] / _scale(question)), words, colour, dash) if len(mine) else []


def _traces(table: pd.DataFrame, words: str, colour: str, dash: str) -> list[Any]:
    medians = table.groupby("x").value.median().sort_index()
    return [
        go.Scatter(x=medians.index.tolist(), y=medians.tolist(), mode="lines", showlegend=False,
                   line={"color": colour, "width": 2, "dash": dash}, hoverinfo="skip",
                   meta={"role": "medians"}),
        go.Scatter(x=table.x.tolist(), y=table.value.tolist(), mode="markers", name=safe(words),
                   marker={"color": palette.translucent(colour, 0.55), "size": 8}, meta={"role": "samples"},
                   hoverinfo="text",
                   hovertext=[f"{safe(words)}: {units.quantity(value, 's')}" for value in table.value]),
    ]  # fmt: skip


def _scale(question: Question) -> int:
    return units.MIB if question.over == "size" else 1
