"""The HTML report: one file that holds everything, and that asks no network for anything."""

from __future__ import annotations

import base64
import hashlib
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports import claims, facts, overlay, published, quality, tables
from reports.charts.all import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reports.charts.theme import Chart
    from reports.model import View
    from reports.tables import Table

TEMPLATES = Path(__file__).parent / "templates"
TITLES = {
    "claims": ("Claims", "What does this run say about each claim?"),
    "startup": ("Startup", "How long until the workload answers, and until nothing of it is left?"),
    "memory": ("Memory", "What does one more idle instance cost the host?"),
    "layers": ("Layers", "What do images that share a base really share?"),
    "overlay": ("Overlay", "When is a file copied, and what does a deep stack of layers cost?"),
    "cpu": ("CPU", "How much of the processor reaches the workload?"),
    "others": ("Further measurements", ""),
}
SHORT = {key: key for key in TITLES} | {"cpu": "CPU", "others": "more"}
TABLES: dict[str, Callable[[View], list[Table]]] = {
    "claims": claims.verdicts,
    "startup": lambda view: [*tables.startup(view), *published.beside(view)],
    "memory": tables.memory,
    "layers": tables.layers,
    "overlay": overlay.tables,
    "cpu": tables.cpu,
    "others": tables.others,
}


@dataclass(frozen=True)
class Section:
    """A part of a page; `key` is its anchor."""

    key: str
    title: str
    question: str
    charts: Sequence[Chart]
    tables: Sequence[Table]


@dataclass(frozen=True)
class Page:
    """What the template shows of one run; `prefix` keeps the anchors of several runs apart."""

    prefix: str
    view: View
    headline: str
    summary: str
    notices: Sequence[facts.Notice]
    host: Sequence[tuple[str, str]]
    when: str
    command: str
    sections: Sequence[Section]
    drift: Sequence[Chart]
    accounts: Sequence[Table]
    boundaries: Sequence[tuple[str, str, str]]
    download: str


def render(views: Sequence[View]) -> str:
    """Return the report on one run or several, as the text of one HTML file."""
    script, library = (TEMPLATES / "report.js").read_text(), get_plotlyjs()
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html.j2").render(
        pages=[page(view, f"r{index}-" if index else "") for index, view in enumerate(views)],
        css=Markup((TEMPLATES / "report.css").read_text()),  # noqa: S704 - our own file
        library=Markup(library),  # noqa: S704 - plotly.js, from the installed package
        script=Markup(script),  # noqa: S704 - our own file
        policy=_policy(library, script),
        figure=_figure,
    )


def page(view: View, prefix: str = "") -> Page:
    """Return what the template needs for one run."""
    charts = draw(view)
    sections = [s for key in TITLES if (s := _section(view, key, charts.get(key, [])))]
    return Page(
        prefix=prefix,
        view=view,
        headline=", ".join(SHORT[s.key] for s in sections) or "nothing measured",
        summary=facts.summary(view),
        notices=facts.notices(view),
        host=facts.host(view),
        when=facts.when(view),
        command=shlex.join(view.run.command),
        sections=sections,
        drift=charts["method"],
        accounts=[*tables.accounts(view), *quality.gates(view), *quality.costs(view)],
        boundaries=list(_boundaries(view)),
        download="data:application/json;base64," + base64.b64encode(view.raw).decode(),
    )


def _section(view: View, key: str, charts: Sequence[Chart]) -> Section | None:
    found = TABLES[key](view)
    return Section(key, *TITLES[key], charts, found) if charts or found else None


def _boundaries(view: View) -> dict[tuple[str, str, str], None]:
    """Return scenario, target and boundary text, once for all metrics that share it."""
    return {(m.scenario, m.target, m.boundary): None for m in view.run.measurements if m.boundary}


def _figure(chart: Chart) -> Markup:
    """Return a figure as JSON that can stand inside a script element: without any `<`."""
    text = str(chart.figure.to_json()).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 - no "<" is left in it


@cache
def _policy(*scripts: str) -> str:
    """Return a content security policy (CSP level 3) under which only these scripts run, with no network."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:"
