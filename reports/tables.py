"""Tables: the numbers behind the charts, and all that has no chart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reports import units
from reports.charts.memory import costs
from reports.model import BASELINES, series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.stats import Estimate, Fit, Summary
    from reports.model import Box, View

PAGE = 4096
DRAWN = {"startup", "memory", "layers", "cpu", "copy-on-write", "overlay-lookup"}
MARKS = ("created", "kernel", "init", "listening", "ready", "teardown")
LEDGER = {
    "footprint": "PSS and kernel memory",
    "pss": "PSS", "pss_anon": "PSS, anonymous part", "uss": "USS", "rss": "RSS",
    "page_tables": "page tables",
    "mem_available_drop": "MemAvailable drop",
    "cgroup_anon": "cgroup anon", "cgroup_shmem": "cgroup shmem", "cgroup_kernel": "cgroup kernel",
    "cgroup_file": "cgroup file", "ksm_shared": "merged by KSM", "unexplained": "unexplained",
}  # fmt: skip
PARTS = "pss_of"
CACHES = {"disk": "disk", "page_cache": "host page cache", "guest_cache": "guest page cache",
          "page_cache_before": "host page cache before (cold check)"}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cell; `box` makes it a target's name with colour and accelerator, `numeric` aligns it right."""

    text: str
    box: Box | None = None
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption that says what its numbers are.

    A head that is a `Box` is a target's name. `folded` is the line to open it by, where it starts closed.
    """

    caption: str
    head: tuple[str | Box, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: str = ""


def startup(view: View) -> list[Table]:
    """Return medians, intervals and ratios of every mark of the ladder."""
    found = sorted(view.of("startup"), key=lambda s: MARKS.index(s.metric) if s.metric in MARKS else 99)
    shown = [s for s in found if s.metric in {"ready", "teardown"}]
    rest = [s for s in found if s.metric not in {"ready", "teardown"}]
    words = "Medians of fresh starts, since the request (teardown: since stop)."
    return [*medians(view, words, shown), *_fold(medians(view, "Medians since the request.", rest))]


def _matters(line: str, column: dict[str, Estimate]) -> bool:
    """Leave KSM out where it merged less than a page for each instance: it is off, or found nothing."""
    return line in column and (line != "ksm_shared" or abs(column[line].value) >= PAGE)


def _fold(found: list[Table]) -> list[Table]:
    return [replace(table, folded="All marks of the ladder, as a table") for table in found]


def memory(view: View) -> list[Table]:
    """Return the cost of one more instance, line by line; a target is a column."""
    slopes = costs(view)
    lines = [line for line in LEDGER if any(_matters(line, column) for column in slopes.values())]
    rows = [(Cell(LEDGER[line]), *(_cost(column.get(line)) for column in slopes.values())) for line in lines]
    words = (
        "Cost of one more idle instance, slope with its interval. PSS and the cgroup lines but the kernel's "
        "overlap: they are two ways to look at the same memory. MemAvailable drop = anon + shmem + kernel + "
        "unexplained; other programs move these two as well, and one whose interval contains zero is below "
        "that noise."
    )
    found = [Table(words, ("", *(view.boxes[name] for name in slopes)), tuple(rows))] if rows else []
    return [*found, *_parts(view)]


def _parts(view: View) -> list[Table]:
    """Return what of the memory is which process's: helpers and daemons by their names."""
    rows = [
        (name(view, f.target), Cell(str(f.params.get("role", ""))),
         _number(units.quantity(f.line.at(1), "B")), _number(units.quantity(f.line.slope.value, "B")),
         _number(_interval(f.line.slope, "B")))
        for f in _fits(view, "memory") if f.metric == PARTS
    ]  # fmt: skip
    words = (
        "PSS by the part that a process plays. What is shared by all instances stands with its whole size at "
        "the first; of that only the growth is in the lines above."
    )
    head = ("target", "part", "first instance", "each further one", "interval")
    return [Table(words, head, tuple(rows), folded="The processes, by name")] if rows else []


def layers(view: View) -> list[Table]:
    """Return what the first instance and each further one take, by layout."""
    rows = [
        (name(view, f.target), Cell(str(f.params.get("layout", ""))), Cell(CACHES.get(f.metric, f.metric)),
         _number(units.quantity(f.line.at(1), "B")), _number(units.quantity(f.line.slope.value, "B")),
         _number(_interval(f.line.slope, "B")), _number(str(f.line.points)))
        for f in _fits(view, "layers") if f.metric != "page_cache_before"
    ]  # fmt: skip
    head = ("target", "layout", "what", "first instance", "each further one", "interval", "samples")
    words = "Straight lines over the number of instances: their height at N = 1 and their slope."
    fitted = [Table(words, head, tuple(rows))] if rows else []
    return [*fitted, *_unfitted(view)]


def _unfitted(view: View) -> list[Table]:
    """Return the totals of the layouts of which only one N counted."""
    known = {(f.target, f.metric, f.params.get("layout")) for f in _fits(view, "layers")}
    rest = [s for s in view.of("layers") if s.metric in CACHES and s.metric != "page_cache_before"
            and (s.target, s.metric, s.params.get("layout")) not in known]  # fmt: skip
    return medians(view, "Totals where only one N counted: no cost of a further one can be said.", rest)


def cpu(view: View) -> list[Table]:
    """Return the rates of work and their ratios."""
    found = view.of("cpu")
    order = list(dict.fromkeys(_what(s) for s in found))
    words = "Median rates of work. Each class of work has its own unit of work."
    return medians(view, words, sorted(found, key=lambda s: order.index(_what(s))))


def others(view: View) -> list[Table]:
    """Return the medians of scenarios that have no chart."""
    found = [s for s in view.summaries if s.scenario not in DRAWN and s.estimate is not None]
    return medians(view, "Further measurements.", found, scenario=True)


def accounts(view: View) -> list[Table]:
    """Return how many samples counted, by scenario and target, and why others did not."""
    table = view.samples
    rows = []
    for key, group in table.groupby(["scenario", "target"], sort=False):
        scenario, target = key
        why = Counter(str(reason) for reason in group.excluded.dropna())
        rows.append(
            (Cell(str(scenario)), name(view, str(target)),
             _number(str(int((group.excluded.isna() & ~group.warmup.astype(bool)).sum()))),
             _number(str(int(group.warmup.sum()))), _number(str(sum(why.values()))),
             Cell(", ".join(f"{reason} ({count})" for reason, count in why.most_common()))))  # fmt: skip
    head = ("scenario", "target", "values counted", "warm-up", "excluded", "by rule")
    rows.sort(key=lambda row: view.scenarios.index(row[0].text))
    return [Table("Every raw value, counted or not, is in the file.", head, tuple(rows))] if rows else []


def medians(
    view: View, words: str, found: Sequence[Summary], *, scenario: bool = False, folded: str = ""
) -> list[Table]:
    """Return a table of medians, intervals and ratios, or none; `folded` is the line to open it by."""
    if not found:
        return []
    bases = [base for base in BASELINES if any(view.ratio(s, base) for s in found)]
    head = (*(("scenario",) if scenario else ()), "target", "what", "median", "interval", "n", "excluded",
            *(f"/ {base}" for base in bases))  # fmt: skip
    rows = tuple(
        (*((Cell(s.scenario),) if scenario else ()), name(view, s.target), Cell(_what(s)),
         *_figures(s), *(_ratio(view, s, base) for base in bases))
        for s in found
    )  # fmt: skip
    return [Table(words, head, rows, folded)]


def _figures(summary: Summary) -> Iterable[Cell]:
    estimate = summary.estimate
    value = units.quantity(estimate.value, summary.unit) if estimate else units.MISSING
    return (_number(value), _number(_interval(estimate, summary.unit)), _number(str(summary.n)),
            _number(str(summary.excluded)))  # fmt: skip


def _what(summary: Summary) -> str:
    if summary.metric == "rate" and "work" in summary.params:
        return series(str(summary.params["work"]), summary.params, without=("work",))
    return series(summary.metric, summary.params)


def _ratio(view: View, summary: Summary, base: str) -> Cell:
    if summary.target == base:
        return _number("1")
    estimate = view.ratio(summary, base)
    if estimate is None:
        return _number(units.MISSING)
    return _number(f"{units.times(estimate.value)}  [{_interval(estimate, '1')}]" if estimate.has_interval
                   else units.times(estimate.value))  # fmt: skip


def _interval(estimate: Estimate | None, unit: str) -> str:
    """Write an interval, and its level where that is not the usual 95 %."""
    if estimate is None or not estimate.has_interval:
        return units.MISSING
    words = marked(units.interval(estimate.low, estimate.high, unit), estimate)
    return words if round(estimate.level, 2) >= 0.95 else f"{words} ({estimate.level:.0%})"  # noqa: PLR2004


def marked(words: str, slope: Estimate) -> str:
    """Say so where a slope's interval is over the points of few rounds, and so too narrow."""
    return f"{words} (few rounds)" if slope.method == "Student t over points" else words


def _cost(estimate: Estimate | None) -> Cell:
    if estimate is None:
        return _number(units.MISSING)
    value, ends = units.quantity(estimate.value, "B"), _interval(estimate, "B")
    return _number(value if ends == units.MISSING else f"{value}\n{ends}")


def _fits(view: View, scenario: str) -> list[Fit]:
    return [fit for fit in view.fits if fit.scenario == scenario]


def name(view: View, target: str) -> Cell:
    """Return a target's name as a cell."""
    return Cell(target, box=view.boxes[target])


def _number(text: str) -> Cell:
    return Cell(text, numeric=True)
