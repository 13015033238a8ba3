"""Every sample of what comes in a few kinds: slowdowns, replacements, bytes to a host, instances that fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from reports import palette, units
from reports.charts.theme import Chart, figure, rows, safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from reports.model import View

LINE = 30  # pixels of height for one row
EDGE = 120
MARGIN = 0.04  # decades beyond the outer marks, so that a dot on one is whole


@dataclass(frozen=True)
class Question:
    """A chart of one metric with a row for each kind; `kinds` are its parameters and how they are worded.

    Those in `guests` mean something for virtual machines only.
    """

    scenario: str
    metric: str
    title: str
    axis: str
    caption: str
    kinds: Mapping[str, Mapping[str, str]]
    guests: tuple[str, ...] = ()


QUESTIONS = (
    Question(
        "contention", "slowdown", "How much slower the slowest requests become beside an aggressor",
        "p99 beside the aggressor / p99 alone, log scale",
        "1 is a victim that nothing disturbs. Dots are runs, a bar their median. Without limits the "
        "aggressor may take all there is; with limits it has a quarter of a CPU, 192 MiB and 48 processes.",
        {"aggressor": {}, "limits": {"none": "no limits", "set": "with limits"}},
    ),
    Question(
        "recovery", "recovered", "From the kill to the first reply of the replacement",
        "time, log scale",
        "Dots are runs, a bar their median. A replacement is a fresh start, or goes on from a snapshot.",
        {"way": {"start": "fresh start", "snapshot": "from a snapshot"}},
    ),
    Question(
        "distribution", "pulled", "Bytes that a host pulls until it can run a new version",
        "MiB, log scale",
        "Dots are runs, a bar their median; counted at the socket. Cold: a host that has nothing yet; "
        "changed: one line of one file is new. A disk is sent whole, or as the delta to the one before.",
        {"state": {}, "disk": {"full": "whole disk", "delta": "delta"}}, ("disk",),
    ),
    Question(
        "density", "memory_each", "Memory of each idle instance among as many as fit into 256 MiB",
        "memory of one (MiB), log scale",
        "Dots are runs, a bar their median: all that exists because of the instances, by their number.",
        {},
    ),
)  # fmt: skip


def charts(view: View) -> list[Chart]:
    """Return the charts that the run has data for."""
    return [chart for chart in (_chart(view, question) for question in QUESTIONS) if chart]


def _chart(view: View, question: Question) -> Chart | None:
    table = view.select(question.scenario, question.metric)
    table = table[table.excluded.isna() & (table.value > 0)]  # log axis
    if not len(table):
        return None
    table = table.assign(row=[_words(view, question, sample) for _, sample in table.iterrows()])
    labels = sorted(dict.fromkeys(table.row), key=lambda label: _order(view, table, label))
    traces = [trace for place, label in enumerate(labels) for trace in _row(table, label, place)]
    drawn = figure(traces, height=EDGE + LINE * len(labels), showlegend=False)
    shown, unit = _shown(table.unit.iloc[0])
    marks, words = units.ticks(table.value.min() / shown, table.value.max() / shown, unit)
    ends = [math.log10(marks[0]) - MARGIN, math.log10(marks[-1]) + MARGIN]
    drawn.update_xaxes(type="log", range=ends, tickmode="array", tickvals=marks, ticktext=words,
                       title={"text": question.axis})  # fmt: skip
    drawn.update_yaxes(**rows([safe(label) for label in labels]))
    return Chart(question.scenario, question.title, question.caption, drawn, width=560)


def _shown(unit: str) -> tuple[int, str]:
    """Return what a value is divided by, and the unit of the quotient for marks: bytes are MiB, in tens."""
    return (units.MIB, "1") if unit == "B" else (1, unit)


def _words(view: View, question: Question, sample: Any) -> str:  # noqa: ANN401 - a row of a table
    guest = view.boxes[sample.target].target.kind == "vm"
    asked = {kind: words for kind, words in question.kinds.items() if guest or kind not in question.guests}
    known = [(str(sample.get(f"param_{kind}")), words) for kind, words in asked.items()]
    kinds = [words.get(value, value) for value, words in known if value not in {"nan", "None"}]
    return ", ".join([view.boxes[sample.target].label, *kinds])


def _order(view: View, table: pd.DataFrame, label: str) -> tuple[int, str]:
    return list(view.boxes).index(table[table.row == label].target.iloc[0]), label


def _row(table: pd.DataFrame, label: str, place: int) -> list[Any]:
    mine = table[table.row == label]
    colour, unit = palette.target(mine.target.iloc[0]), mine.unit.iloc[0]
    middle, shown = mine.value.median(), _shown(unit)[0]
    said = [f"{safe(label)}: {units.quantity(value, unit)}" for value in mine.value]
    return [
        go.Scatter(x=[middle / shown], y=[place], mode="markers", hoverinfo="text", meta={"role": "medians"},
                   hovertext=[f"median: {units.quantity(middle, unit)}"],
                   marker={"symbol": "line-ns", "size": 18, "line": {"width": 3, "color": colour}}),
        go.Scatter(x=(mine.value / shown).tolist(), y=[place] * len(mine), mode="markers", hoverinfo="text",
                   hovertext=said, meta={"role": "samples"},
                   marker={"color": palette.translucent(colour, 0.5), "size": 9}),
    ]  # fmt: skip
