"""`tare history`: figures over the stored runs, and where they changed for good."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click
import msgspec

from bench.cli.context import Context
from bench.cli.judging import names
from bench.columns import table
from bench.compare import threshold
from bench.compare.threshold import Threshold
from bench.errors import BenchFault
from bench.history.names import Names
from bench.history.series import NEEDED, Point, Series, Step, series
from bench.history.shelf import Shelf
from bench.units import quantity

MANY = 3
"""So many conditions are named in a line; more are counted."""


@click.command()
@click.argument("scenario", required=False)
@click.option("-t", "--targets", metavar="TARGET[,TARGET]", help="Only these targets.")
@click.option("-m", "--metrics", metavar="METRIC[,METRIC]", help="Only these metrics.")
@click.option("--change-points", is_flag=True, help="Show only where figures changed for good.")
@click.option(
    "--fail-on",
    metavar="METRIC:PCT",
    multiple=True,
    help="Exit with 1 when the last change of METRIC made it worse by more than PCT percent; repeatable.",
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def command(
    context: Context,
    /,
    scenario: str | None,
    form: str,
    *,
    change_points: bool,
    **options: Any,  # noqa: ANN401
) -> NoReturn:
    """Show the median of every figure over the stored runs, the oldest first.

    Only runs that ended in order count. A change point is found by E-divisive at 2.5 % a series, and has
    at least two later runs that confirm it; what of the host and of the target changed with it is named.
    """
    thresholds = [threshold.parse(text) for text in options["fail_on"]]
    shelf = Shelf(context.results)
    found = _chosen(series(shelf.entries()), scenario, options)
    threshold.check(thresholds, ((s.scenario, s.metric) for s in found))
    look = change_points or bool(thresholds)
    steps = {s.label: s.steps() for s in found} if look else {}
    if form == "json":
        click.echo(
            msgspec.json.format(msgspec.json.encode([_plain(s, steps) for s in found]), indent=1).decode()
        )
    elif look:
        _print_changes(context, found, steps)
    else:
        _print_points(found, shelf.names)
    sys.exit(_regressed(context, found, steps, thresholds))


def _chosen(found: list[Series], scenario: str | None, options: dict[str, Any]) -> list[Series]:
    targets, metrics = names(options["targets"]), names(options["metrics"])
    chosen = [
        s
        for s in found
        if scenario in {None, s.scenario}
        and (not targets or s.target in targets)
        and (not metrics or s.metric in metrics)
    ]
    if chosen:
        return chosen
    known = ", ".join(dict.fromkeys(f"{s.scenario} {s.target} {s.metric}" for s in found))
    raise BenchFault(
        "no stored run that ended in order has such a figure" if found else "there is no history yet",
        hint=f"there are: {known}" if found else "`tare run` and `tare results import` store runs",
        kind="missing",
    )


def _print_points(found: Sequence[Series], kept: Names) -> None:
    by_key: dict[str, list[str]] = {}
    for name, key in kept.all().items():
        by_key.setdefault(key, []).append(name)
    for one in found:
        rows = [
            (p.entry.started[:16], p.entry.key, " ".join(by_key.get(p.entry.key, [])), *_figure(p), _moved(p))
            for p in one.points
        ]
        click.echo(f"{one.label}\n")
        click.echo(table(("STARTED", "RUN", "NAMES", "N", "MEDIAN", "INTERVAL", "CONDITIONS"), rows))
        click.echo()


def _print_changes(context: Context, found: Sequence[Series], steps: Mapping[str, Sequence[Step]]) -> None:
    rows = [
        (
            one.scenario, one.target, f"{one.metric} {one.params}".strip(), step.point.entry.key,
            quantity(step.change.before, one.unit), quantity(step.change.after, one.unit),
            f"{'worse' if step.share > 0 else 'better'} by {abs(step.share):.1%}", f"{step.change.p:.2g}",
            str(step.later), _moved(step.point),
        )
        for one in found
        for step in steps[one.label]
    ]  # fmt: skip
    header = (
        "SCENARIO", "TARGET", "METRIC", "FIRST RUN", "BEFORE", "AFTER", "CHANGE", "P", "CONFIRMED BY",
        "CONDITIONS",
    )  # fmt: skip
    if rows:
        click.echo(table(header, rows))
    short = sum(len(one.points) < NEEDED for one in found)
    told = f"{len(rows)} changes in {len(found)} series, each series at 2.5 %"
    few = f"; {short} of them have fewer than {NEEDED} runs, in which none can be found" if short else ""
    context.say(told + few)


def _regressed(
    context: Context,
    found: Sequence[Series],
    steps: Mapping[str, Sequence[Step]],
    thresholds: Sequence[Threshold],
) -> int:
    """Return 1 when the last change of a series goes beyond a threshold."""
    code = 0
    for one in found:
        for limit in thresholds:
            covered = limit.metric == one.metric and limit.scenario in {"", one.scenario}
            last = steps[one.label][-1:] if covered else []
            for step in last:
                if step.share > limit.share:
                    said = f"{one.label} is worse by {step.share:.1%} since {step.point.entry.key}"
                    context.say(f"tare: {said} ({limit.label})")
                    code = 1
    return code


def _figure(point: Point) -> tuple[str, str, str]:
    f = point.figure
    ends = "-" if f.low is None else f"{quantity(f.low, f.unit)} to {quantity(f.high, f.unit)}"
    return str(f.n), quantity(f.median, f.unit), ends


def _moved(point: Point) -> str:
    if not point.moved:
        return ""
    rest = len(point.moved) - MANY
    return f"changed: {', '.join(point.moved[:MANY])}{f' and {rest} more' if rest > 0 else ''}"


def _plain(one: Series, steps: Mapping[str, Sequence[Step]]) -> dict[str, object]:
    """Return a series as JSON has it; `changes` is null where none were looked for."""
    return {
        "scenario": one.scenario,
        "target": one.target,
        "metric": one.metric,
        "unit": one.unit,
        "params": one.points[-1].figure.params,
        "points": [
            {
                "run": p.entry.key,
                "started": p.entry.started,
                "n": p.figure.n,
                "median": p.figure.median,
                "low": p.figure.low,
                "high": p.figure.high,
                "conditions_changed": p.moved,
            }
            for p in one.points
        ],
        "changes": [
            {
                "first_run": step.point.entry.key,
                "before": step.change.before,
                "after": step.change.after,
                "worse_by": step.share,
                "p": step.change.p,
                "confirmed_by": step.later,
                "conditions_changed": step.explained,
            }
            for step in steps[one.label]
        ]
        if steps
        else None,
    }
