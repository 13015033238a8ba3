"""The ledger of one more instance: what its cgroup is charged, and the rest that the host lost besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from reports import palette, units
from reports.charts.theme import Chart, row_label, rows, safe, style

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.stats import Estimate
    from reports.model import View

CHARGED = {
    "cgroup_anon": "anonymous memory (cgroup)",
    "cgroup_shmem": "shared memory, tmpfs (cgroup)",
    "cgroup_kernel": "kernel memory (cgroup)",
}
MAPPED = {"pss_anon": "anonymous part of PSS", "pss_files": "its part of file pages (PSS less anonymous)"}
REST = "unexplained"


@dataclass(frozen=True)
class Row:
    """Bytes of one more instance that add up to `total`: what cgroups charge, or else what is mapped.

    `parts` may hold a negative slope, which is in the sum. `rest` is the drop of the host's MemAvailable
    that no cgroup accounts for; it is no part of the sum, and None where it was not measured.
    """

    name: str
    parts: Mapping[str, float]
    rest: Estimate | None

    @property
    def total(self) -> float:
        """The sum of the parts, with their signs."""
        return sum(self.parts.values())

    @property
    def drawn(self) -> dict[str, float]:
        """The parts that a bar can show."""
        return {key: size for key, size in self.parts.items() if size > 0}

    @property
    def measure(self) -> str:
        """What the sum is called."""
        return "charged" if "cgroup_anon" in self.parts else "PSS"


def row(name: str, lines: Mapping[str, Estimate]) -> Row | None:
    """Return what adds up for one target; None where nothing does.

    Where cgroups charge nothing, what the processes map is all that is known.
    """
    if "cgroup_anon" in lines:
        return Row(name, {key: lines[key].value for key in CHARGED if key in lines}, lines.get(REST))
    if "pss" not in lines or "pss_anon" not in lines:
        return None
    own, mapped = lines["pss_anon"].value, lines["pss"].value
    return Row(name, {"pss_anon": own, "pss_files": mapped - own}, lines.get(REST))


def below_noise(estimate: Estimate) -> bool:
    """Tell whether the interval holds zero: then not even the sign of the value is known."""
    return estimate.low is not None and estimate.high is not None and estimate.low <= 0 <= estimate.high


def rest_words(estimate: Estimate) -> str:
    """Return the rest as a signed figure, or that it is below the noise."""
    if below_noise(estimate):
        return "rest: below noise"
    sign = "+" if estimate.value > 0 else ""
    return f"rest {sign}{units.quantity(estimate.value, 'B')}"


def ledger(view: View, slopes: Mapping[str, Mapping[str, Estimate]]) -> Chart | None:
    """Return the chart of what adds up, each row 100 % of its own sum; None without data."""
    every = [found for name, lines in slopes.items() if (found := row(name, lines)) is not None]
    shown = [found for found in every if found.total > 0]
    if not shown:
        return None
    drawn = go.Figure()
    for key, words in {**CHARGED, **MAPPED}.items():
        if any(key in found.drawn for found in shown):
            drawn.add_trace(_part(key, words, shown))
    drawn.add_trace(_totals(shown))
    style(drawn, height=150 + 56 * len(shown), barmode="stack", legend_traceorder="normal")
    drawn.update_layout(margin={"l": 175, "r": 150, "t": 24, "b": 64}, showlegend=True)
    drawn.update_xaxes(range=[0, 1], tickformat=".0%", title={"text": "share of the sum at the right"})
    drawn.update_yaxes(**rows([row_label(view.boxes[found.name]) for found in shown]))
    title = "What is charged for one more idle instance"
    return Chart("memory-ledger", title, _caption(view, shown), drawn)


def _caption(view: View, shown: list[Row]) -> str:
    bare = [view.boxes[found.name].label for found in shown if found.rest and not found.rest.has_interval]
    negative = any(size < 0 for found in shown for size in found.parts.values())
    return (
        "The lines that add up, each bar 100 % of its own row, their sum at its end. Page cache is not in "
        "it, since the kernel can take it back at any time. The rest is the drop of the host's MemAvailable "
        "less what is charged; other programs move it too, so it stands beside the bar with its sign and "
        "is no part of it. Where its interval contains zero it is below the noise of MemAvailable."
        + (f" Too few runs for an interval, so it may be noise alone: {', '.join(bare)}." if bare else "")
        + (" A part with a negative slope is in the sum, but can't be drawn." if negative else "")
    )


def _totals(shown: list[Row]) -> go.Scatter:
    return go.Scatter(
        x=[1.0] * len(shown), y=list(range(len(shown))), mode="text", text=[_total(found) for found in shown],
        textposition="middle right", cliponaxis=False, showlegend=False, meta={"role": "totals"},
        hovertext=[_rest_hover(found) for found in shown], hoverinfo="text",
    )  # fmt: skip


def _total(found: Row) -> str:
    second = "" if found.rest is None else rest_words(found.rest)
    small = f"<br>  <span style='font-size:11px;color:{palette.MUTED}'>{second}</span>" if second else ""
    return f"  {found.measure} {units.quantity(found.total, 'B')}{small}"


def _rest_hover(found: Row) -> str:
    if found.rest is None:
        return safe(found.name)
    ends = units.interval(found.rest.low, found.rest.high, "B")
    return f"{safe(found.name)}: unexplained {units.quantity(found.rest.value, 'B')}, interval {ends}"


def _part(key: str, words: str, shown: list[Row]) -> go.Bar:
    having = [(place, found, found.drawn[key]) for place, found in enumerate(shown) if key in found.drawn]
    shares = [size / sum(found.drawn.values()) for _, found, size in having]
    return go.Bar(
        x=shares, y=[place for place, _, _ in having], orientation="h", name=words, meta={"role": "ledger"},
        marker={"color": palette.LEDGER[key], "line": {"color": "#fff", "width": 1}},
        text=[units.quantity(size, "B") for _, _, size in having],
        textposition="inside", insidetextanchor="middle", textangle=0,
        textfont={"color": "#fff" if key in {"cgroup_anon", "pss_anon"} else palette.INK, "size": 13},
        hovertext=[f"{safe(found.name)}, {safe(words)}: {units.quantity(size, 'B')} ({units.percent(share)})"
                   for (_, found, size), share in zip(having, shares, strict=True)],
        hoverinfo="text",
    )  # fmt: skip
