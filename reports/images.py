"""One chart as a file: a picture for a slide or a README, or a small page of its own."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from bench.errors import BenchFault
from bench.results.atomic import check_destination, replace_file
from reports.charts import all as every
from reports.charts.theme import safe

if TYPE_CHECKING:
    from pathlib import Path

    from reports.charts.theme import Chart
    from reports.model import View

PICTURES = {".png", ".svg", ".pdf"}
HEADROOM = 76  # pixels above the drawing for title and origin
TOP = 36  # pixels to the baseline of the title


def save(view: View, kind: str, path: Path, *, width: int = 1160, scale: float = 2.0) -> None:
    """Write the chart `kind` of a run to `path`; the suffix picks the format (.png, .svg, .pdf, .html).

    `width` is in CSS pixels; `scale` is how many pixels of a PNG make one of them. Raises `BenchFault`:
    "usage" for a kind or format that there isn't, "missing" when the run has no data for the chart, "host"
    when kaleido or a Chromium is absent or the file can't be written.
    """
    chart = find(view, kind)
    drawn = titled(chart, view)
    suffix = path.suffix.lower()
    check_destination(path)
    if suffix == ".html":
        replace_file(path, drawn.to_html(include_plotlyjs=True, full_html=True).encode(), durable=False)
    elif suffix in PICTURES:
        _picture(drawn, path, width, scale)
    else:
        raise BenchFault(
            f"no chart format {suffix or path.name!r}",
            hint="end the name in .png, .svg, .pdf or .html",
            kind="usage",
        )


def find(view: View, kind: str) -> Chart:
    """Return the chart named `kind` of a run."""
    if kind not in every.KINDS:
        raise BenchFault(f"no chart {kind!r}", hint=f"there are {', '.join(every.KINDS)}", kind="usage")
    for charts in every.draw(view).values():
        for chart in charts:
            if chart.key == kind:
                return chart
    raise BenchFault(
        f"run {view.run.id} has no data for the chart {kind!r}",
        hint=f"it measured {', '.join(view.scenarios) or 'nothing'}",
        kind="missing",
    )


def titled(chart: Chart, view: View) -> go.Figure:
    """Return the figure with its title and the run that it comes from written above it."""
    env = view.run.environment
    parts = [env.cpu.model, f"{env.cpu.count} CPUs" if env.cpu.count else None,
             f"Linux {env.kernel.release}" if env.kernel.release else None, f"run {view.run.id}"]  # fmt: skip
    origin = safe(" · ".join(part for part in parts if part))
    drawn = go.Figure(chart.figure)
    text = f"<b>{safe(chart.title)}</b><br><span style='font-size:12px;color:#5b6470'>{origin}</span>"
    drawn.update_layout(
        height=drawn.layout.height + HEADROOM,
        margin_t=drawn.layout.margin.t + HEADROOM,
        title={"text": text, "x": 0.012, "xanchor": "left", "yref": "container", "yanchor": "top",
               "y": 1 - TOP / (drawn.layout.height + HEADROOM),
               "font": {"size": 20}},
    )  # fmt: skip
    return drawn


def _picture(drawn: go.Figure, path: Path, width: int, scale: float) -> None:
    if importlib.util.find_spec("kaleido") is None:
        raise BenchFault(
            "pictures need kaleido, which is not installed", hint="pip install 'tare[images]'", kind="host"
        )
    try:
        drawn.write_image(path, width=width, scale=scale)
    except (RuntimeError, ValueError) as err:
        raise BenchFault(
            f"no picture {path}: {str(err).splitlines()[0]}",
            hint="pictures need Chromium: apt-get install chromium",
            kind="host",
        ) from err
