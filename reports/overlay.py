"""Tables about overlays: straight lines over the file's size or the number of layers, and the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import stats
from reports import units
from reports.model import series
from reports.tables import Cell, Table, marked, medians, name

if TYPE_CHECKING:
    from reports.model import View

OVER = {"copy-on-write": "size", "overlay-lookup": "layers"}
HEADS = {"size": "each further MiB", "layers": "each further layer"}


def tables(view: View) -> list[Table]:
    """Return for each scenario the fitted lines, then every median, folded."""
    return [table for scenario, over in OVER.items() for table in _of(view, scenario, over)]


def _of(view: View, scenario: str, over: str) -> list[Table]:
    step = units.MIB if over == "size" else 1
    rows = [
        (
            name(view, fit.target),
            Cell(series(fit.metric, fit.params)),
            _amount(fit.line.intercept.value, fit.unit),
            _amount(fit.line.slope.value * step, fit.unit),
            Cell(_interval(fit.line.slope, step, fit.unit), numeric=True),
            Cell(str(fit.line.points), numeric=True),
        )
        for fit in stats.fits(view.ordered, over)
        if fit.scenario == scenario and fit.unit != "1"
    ]
    head = ("target", "what", "constant part", HEADS[over], "interval", "samples")
    words = f"{scenario}: straight lines over the {over}, their constant part and their slope."
    rest = medians(view, f"{scenario}: medians.", view.of(scenario), folded=f"All medians of {scenario}")
    return [*([Table(words, head, tuple(rows))] if rows else []), *rest]


def _amount(value: float, unit: str) -> Cell:
    return Cell(_text(value, unit), numeric=True)


def _text(value: float, unit: str) -> str:
    """Write microseconds and less as such: the rest of a report has none."""
    if unit == "s" and abs(value) < 1e-3:  # noqa: PLR2004 - a millisecond
        return f"{units.significant(value * 1e6)} \N{MICRO SIGN}s"
    return units.quantity(value, unit)


def _interval(slope: stats.Estimate, step: int, unit: str) -> str:
    if slope.low is None or slope.high is None:
        return units.MISSING
    return marked(f"{_text(slope.low * step, unit)} to {_text(slope.high * step, unit)}", slope)
