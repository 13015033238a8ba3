"""What the person sees at the end of a run: the medians, and the report."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import click

from bench.caveats import OF_THE_RUN
from bench.columns import table
from bench.compare.formats.words import GATE, GATE_WORDS, gate_cells
from bench.errors import BenchFault, Kind
from bench.results import Run
from bench.stats.estimate import Estimate
from bench.stats.gate import key, known
from bench.stats.summary import Summary, summarise
from bench.units import FACTORS, quantity

NOMINAL = 0.95
_KINDS: dict[int, Kind] = {2: "usage", 3: "host"}


def print_summary(run: Run) -> None:
    """Print every median with its interval, and what its A/A gate says, to standard output."""
    found, summaries = known(run), summarise(run)
    rows = [(*_row(summary), *gate_cells(found.get(key(summary)))) for summary in summaries]
    click.echo(table(("SCENARIO", "TARGET", "METRIC", "N", "MEDIAN", "INTERVAL", *GATE), rows))
    if rows:
        click.echo(f"\n{GATE_WORDS}")


def warned(run: Run) -> list[str]:
    """Return in words what weakens the figures of this very run; the host's weaknesses are in the report."""
    return [f"{w.text}\n  mend it: {w.remedy}" for w in run.warnings if w.code in OF_THE_RUN]


def took(run: Run) -> str:
    """Return how long a run took, in words; nothing for one that was cut off, whose pause would count."""
    if run.finished is None or run.resumed:
        return ""
    seconds = (datetime.fromisoformat(run.finished) - datetime.fromisoformat(run.started)).total_seconds()
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def make_report(file: Path, html: Path) -> None:
    """Let a process of its own draw the report: pandas and plotly never are where something is measured."""
    command = [sys.executable, "-m", "reports", "html", str(file), "-o", str(html)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        said = next((line.removeprefix("tare: ") for line in lines if line.startswith("tare: ")), lines[-1])
        raise BenchFault(
            f"the report could not be made: {said}",
            hint=f"the results are safe in {file}; try again with: tare report {file} -o {html}",
            kind=_KINDS.get(done.returncode, "failed"),
        )


def _row(summary: Summary) -> tuple[str, ...]:
    target = summary.target + "".join(f" ({name})" for name in summary.accelerators)
    params = " ".join(f"{key}={value}" for key, value in summary.params.items())
    name = f"{summary.metric} {params}".strip()
    estimate = summary.estimate
    if estimate is None:
        return summary.scenario, target, name, "0", "-", summary.lack
    median = quantity(estimate.value, summary.unit)
    factor, _ = FACTORS.get(summary.unit, (1.0, summary.unit))
    return summary.scenario, target, name, str(summary.n), median, _interval(estimate, factor)


def _interval(estimate: Estimate, factor: float) -> str:
    if estimate.low is None or estimate.high is None:
        return "too few runs for one"
    level = "" if estimate.level >= NOMINAL else f" ({estimate.level:.0%} only)"
    return f"{estimate.low * factor:.4g} to {estimate.high * factor:.4g}{level}"
