"""CPU: the rate of work in each box relative to the same work in none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from reports import palette, units
from reports.charts.theme import EMULATED_NOTE, INTERVAL, Chart, errors, figure, safe

if TYPE_CHECKING:
    from bench.stats import Ratio
    from reports.model import Box, View

SCENARIO = "cpu"
BASELINE = "native"
WIDEST = 1.25  # how far beyond the largest bar an interval may stretch the axis
ROOMY = 0.5  # a bar above this share of native has room for its own label
ZOOM = 0.5  # the closer look is worth its place when everything judged is above this share of native


def charts(view: View) -> list[Chart]:
    """Return the charts of the cpu scenario that the run has data for."""
    found = [r for r in view.ratios.get(BASELINE, []) if r.scenario == SCENARIO and r.metric == "rate"]
    judged = [r for r in found if not view.boxes[r.target].emulated]
    drawn = [_bars(view, found), _close_up(view, judged)]
    return [chart for chart in drawn if chart is not None]


def work(ratio: Ratio) -> str:
    """Return the class of work that a ratio is about."""
    return str(ratio.params.get("work", "all work"))


def _bars(view: View, found: list[Ratio]) -> Chart | None:
    if not found:
        return None
    works = list(dict.fromkeys(work(r) for r in found))
    names = [name for name in view.boxes if any(r.target == name for r in found)]
    traces = [_bar(view.boxes[name], [r for r in found if r.target == name]) for name in names]
    drawn = figure(traces, height=130 + (34 + 24 * len(names)) * len(works), barmode="group",
                   bargap=0.28, bargroupgap=0.08, legend_traceorder="normal")  # fmt: skip
    # A few wild samples must not squeeze all bars: an interval may leave the chart, the table has it.
    top = min(max(r.estimate.high or r.estimate.value for r in found), WIDEST * _largest(found))
    drawn.update_xaxes(range=[0, 1.12 * max(1.0, top)], tickformat=".0%",
                       title={"text": "rate relative to native"})  # fmt: skip
    drawn.update_yaxes(autorange="reversed", showgrid=False, categoryorder="array",
                       categoryarray=[safe(w) for w in works])  # fmt: skip
    drawn.add_vline(x=1.0, line={"color": palette.INK, "width": 1.5, "dash": "dot"})
    drawn.update_layout(margin={"l": 130, "r": 24, "t": 24, "b": 64})
    return Chart("cpu", "CPU: rate of work relative to native", _caption(view), drawn)


def _largest(found: list[Ratio]) -> float:
    return max(1.0, *(r.estimate.value for r in found))


def _bar(box: Box, found: list[Ratio]) -> go.Bar:
    colour = palette.EMULATED if box.emulated else box.colour
    note = f": {EMULATED_NOTE}" if box.emulated else ""
    return go.Bar(
        y=[safe(work(r)) for r in found], x=[r.estimate.value for r in found], orientation="h",
        name=safe(box.label) + note, meta={"role": "rates"},
        marker={"color": "#eceef1" if box.emulated else colour, "line": {"color": colour, "width": 1},
                "pattern": {"shape": "/" if box.emulated else "", "fgcolor": colour, "size": 6}},
        error_x=_errors(found),
        text=[f" {units.percent(r.estimate.value)}  {safe(box.label)}" for r in found],
        textposition=["inside" if r.estimate.value > ROOMY else "outside" for r in found],
        insidetextanchor="start", insidetextfont={"color": "#fff"}, cliponaxis=False, textfont={"size": 12},
        hovertext=[_hover(box, r) for r in found], hoverinfo="text",
    )  # fmt: skip


def _errors(found: list[Ratio]) -> dict[str, Any]:
    estimates = [r.estimate for r in found]
    return {
        "thickness": 1.5, "width": 4, "color": palette.INK,
            **errors(estimates),
    }  # fmt: skip


def _hover(box: Box, r: Ratio) -> str:
    ends = (r.estimate.low, r.estimate.high)
    low, high = (units.percent(end) for end in ends)
    return (
        f"{safe(box.label)}, {safe(work(r))}: {units.percent(r.estimate.value)} of native, "
        f"{100 * r.estimate.level:.0f} % interval {low} to {high}, n = {r.estimate.n}"
        + (f"<br>{EMULATED_NOTE}" if box.emulated else "")
    )


def _close_up(view: View, judged: list[Ratio]) -> Chart | None:
    """Draw what may be judged on an axis around 100 %, where a loss of one percent can be seen."""
    if not judged or min(r.estimate.value for r in judged) < ZOOM:
        return None
    works = list(dict.fromkeys(work(r) for r in judged))
    names = [name for name in view.boxes if any(r.target == name for r in judged)]
    traces = [_points(view.boxes[n], [r for r in judged if r.target == n], works, names) for n in names]
    drawn = figure(traces, height=120 + 44 * len(works), showlegend=True)
    ends = [e for r in judged for e in (r.estimate.low, r.estimate.high, r.estimate.value) if e is not None]
    reach = min(ZOOM, max(0.02, *(abs(1 - end) for end in ends)) * 1.25)
    drawn.update_xaxes(range=[1 - reach, 1 + reach], tickformat=".1%",
                       title={"text": "rate relative to native, axis not from 0"})  # fmt: skip
    drawn.update_yaxes(tickmode="array", tickvals=list(range(len(works))), ticktext=[safe(w) for w in works],
                       range=[len(works) - 0.5, -0.5], showgrid=False)  # fmt: skip
    drawn.add_vline(x=1.0, line={"color": palette.INK, "width": 1.5, "dash": "dot"})
    drawn.update_layout(margin={"l": 130, "r": 24, "t": 24, "b": 64})
    caption = (
        f"Ratios of medians, each with its {INTERVAL}. "
        "An interval that crosses 100 % does not show a "
        "difference; that alone is no proof of equality. One that leaves the chart is whole in the table."
    )
    return Chart("cpu-close-up", "The same, close up, without what is emulated", caption, drawn)


def _points(box: Box, found: list[Ratio], works: list[str], names: list[str]) -> go.Scatter:
    shift = 0.22 * (names.index(box.name) - (len(names) - 1) / 2)
    return go.Scatter(
        x=[r.estimate.value for r in found], y=[works.index(work(r)) + shift for r in found],
        mode="markers", name=safe(box.label), meta={"role": "close-up"},
        marker={"size": 11, "color": box.colour}, error_x={**_errors(found), "color": box.colour},
        hovertext=[_hover(box, r) for r in found], hoverinfo="text",
    )  # fmt: skip


def _caption(view: View) -> str:
    shown = [box.label for box in view.emulated]
    note = (
        f" Hatched grey: {', '.join(shown)} ran under emulation. That rate is QEMU's translator's and says "
        "nothing about hypervisors or hardware virtualization."
        if shown
        else ""
    )
    return f"Ratio of medians to native for every class of work, with its {INTERVAL}." + note
