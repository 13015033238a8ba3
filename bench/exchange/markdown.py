"""A run as a table in Markdown: medians with their intervals."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bench.compare.formats.markdown import code, escape, table
from bench.compare.formats.words import GATE, GATE_WORDS, gate_cells
from bench.stats.estimate import LEVEL
from bench.stats.gate import key, known
from bench.stats.summary import summarise
from bench.units import quantity

if TYPE_CHECKING:
    from bench.results import Run
    from bench.stats.summary import Summary

HEADER = ("SCENARIO", "TARGET", "METRIC", "N", "MEDIAN", "INTERVAL", *GATE)


def export(run: Run) -> str:
    """Return a heading, the table, and the warnings of the run."""
    found = known(run)
    rows = [(*_row(summary), *gate_cells(found.get(key(summary)))) for summary in summarise(run)]
    return "\n".join([
        f"### Tare: {code(run.id)}\n",
        f"{escape(shlex.join(run.command))}, seed {run.seed}, begun {run.started}\n",
        *table(HEADER, rows),
        "",
        GATE_WORDS,
        "",
        *(f"- {escape(warning.text)}" for warning in run.warnings),
    ]).rstrip() + "\n"  # fmt: skip


def _row(s: Summary) -> tuple[str, ...]:
    target = s.target + "".join(f" ({name})" for name in s.accelerators)
    name = " ".join([s.metric, *(f"{key}={value}" for key, value in s.params.items())])
    if s.estimate is None:
        return s.scenario, target, name, "0", "-", s.lack
    e = s.estimate
    ends = f"{quantity(e.low, s.unit)} to {quantity(e.high, s.unit)}" if e.has_interval else "-"
    level = f" ({e.level:.0%} only)" if e.has_interval and e.level < LEVEL else ""
    return s.scenario, target, name, str(s.n), quantity(e.value, s.unit), ends + level
