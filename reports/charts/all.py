"""All charts of a run, by section."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.charts import cpu, drift, layers, memory, overlay, spread, startup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reports.charts.theme import Chart
    from reports.model import View

SECTIONS: Mapping[str, Callable[[View], list[Chart]]] = {
    "startup": startup.charts,
    "memory": memory.charts,
    "layers": layers.charts,
    "overlay": overlay.charts,
    "cpu": cpu.charts,
    "others": spread.charts,
    "method": drift.charts,
}
KINDS = ("startup-ready", "startup-ladder", "startup-teardown", "memory-cost", "memory-ledger",
         "memory-series", "layers", "copy-on-write", "overlay-lookup", "cpu", "cpu-close-up",
         "contention", "recovery", "distribution", "density", "drift")  # fmt: skip


def draw(view: View) -> dict[str, list[Chart]]:
    """Return the charts of every section, in the order of the report; sections may be empty."""
    return {name: charts(view) for name, charts in SECTIONS.items()}
