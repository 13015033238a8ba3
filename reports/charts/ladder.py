"""The launch ladder: which phase of a start takes how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reports import palette, units
from reports.charts.theme import Chart, row_label, rows, safe, style
from reports.model import series

if TYPE_CHECKING:
    from reports.model import View

PHASES = ("created", "kernel", "init", "listening", "ready")
MEANING = {
    "created": "request → created (the call returned)",
    "kernel": "→ kernel (first sign of a guest's kernel)",
    "init": "→ init (first instruction of process 1)",
    "listening": "→ listening",
    "ready": "→ ready (first correct reply)",
}


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


def ladder(view: View) -> Chart | None:
    """Return the ladder as bars of phases, each row 100 % of its own; None without data."""
    medians: dict[str, dict[str, float]] = {}
    targets: dict[str, str] = {}
    for s in view.of("startup"):
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
        text=[units.quantity(step.seconds, "s") for _, _, step in found],
        textposition="inside", insidetextanchor="middle", textangle=0,
        textfont={"color": "#fff" if dark else palette.INK, "size": 13},
        hovertext=[f"{safe(name)}: {safe(MEANING[phase])}, {units.quantity(step.seconds, 's')} "
                   f"({units.percent(step.seconds / whole[name])})" for _, name, step in found],
        hoverinfo="text",
    )  # fmt: skip
