"""What `tare compare` and `tare run` share: the options that judge a comparison, and how it is told."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from bench.cli.context import Context
from bench.compare import threshold
from bench.compare.formats import FORMATS, Format, markdown, render
from bench.compare.formats.words import warnings
from bench.compare.merit import DIAGNOSTIC
from bench.compare.report import Report
from bench.compare.threshold import Threshold
from bench.errors import BenchFault, Kind
from bench.results import Run, load
from bench.stats.comparison import MARGIN

Wrapped = TypeVar("Wrapped", bound=Callable[..., Any])
WIDEST = 0.5


class Percent(click.ParamType[float]):
    """A percentage, with or without its sign; the value is the share."""

    name = "PCT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share; a margin of nothing or of half of everything is a usage error."""
        if isinstance(value, float):
            return value
        try:
            share = float(str(value).strip().removesuffix("%")) / 100
        except ValueError:
            self.fail(f"{value!r} is no percentage, such as 5", param, ctx)
        if not 0 < share <= WIDEST:
            self.fail(f"{value} % is no margin: choose one above 0 and up to {WIDEST:.0%}", param, ctx)
        return share


@dataclass(frozen=True)
class Judge:
    """How a comparison is judged: settled before anything is looked at."""

    margin: float
    thresholds: tuple[Threshold, ...]
    strict: bool

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Judge":
        """Take the judge from click's options; BenchFault of kind `usage` for a bad --fail-on."""
        thresholds = tuple(threshold.parse(text) for text in options["fail_on"])
        return cls(options["margin"], thresholds, options["strict"])

    def check(self, *runs: Run) -> None:
        """Refuse thresholds for metrics that none of `runs` has."""
        self.check_names((m.scenario, m.metric) for run in runs for m in run.measurements)

    def check_names(self, known: Iterable[tuple[str, str]]) -> None:
        """Refuse thresholds for other (scenario, metric) than `known`, or for what is never compared."""
        threshold.check(self.thresholds, (pair for pair in known if pair[1] not in DIAGNOSTIC))

    def tell(self, context: Context, report: Report, form: Format) -> int:
        """Print the comparison and return the exit code."""
        findings = threshold.judge(report, self.thresholds)
        click.echo(render(report, findings, form))
        if form == "github":
            _summarise(context, markdown.render(report, findings))
        if form != "table":  # where a program reads standard output, a person still has to see this
            for text in warnings(report):
                context.say(f"tare: {text}")
        return threshold.exit_code(findings, strict=self.strict)


def measured(path: Path) -> Run:
    """Load a run to compare; one that can't be read is a usage error: 1 means that something got worse."""
    try:
        return load(path)
    except BenchFault as fault:
        kind: Kind = "usage" if fault.kind == "corrupt" else fault.kind
        raise BenchFault(str(fault), hint=fault.hint, kind=kind) from fault


def judging(command: Wrapped) -> Wrapped:
    """Add the options of a judge."""
    options = (
        click.option(
            "--margin",
            type=Percent(),
            default=MARGIN,
            help="Difference that does not matter, in percent, for `equivalent` (default: 5).",
        ),
        click.option(
            "--fail-on",
            metavar="METRIC:PCT",
            multiple=True,
            help="Exit with 1 when METRIC (or SCENARIO/METRIC) is confirmed to be worse by more than PCT "
            "percent; may be repeated. Without it, any confirmed regression counts.",
        ),
        click.option("--strict", is_flag=True, help="Exit with 4 when something is left undecided."),
    )
    for option in reversed(options):
        command = option(command)
    return command


FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="How to print it.",
)


def names(text: str | None) -> Sequence[str]:
    """Return comma-separated words."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def two(text: str) -> tuple[str, str]:
    """Return the two names of `--ab`; BenchFault of kind `usage` for another number or one name twice."""
    found = names(text)
    if len(found) != 2 or found[0] == found[1]:  # noqa: PLR2004 - A and B
        raise BenchFault(
            f"--ab {text!r} does not name two different targets",
            hint="name the old and the new one with a comma between, for example --ab native,container",
            kind="usage",
        )
    return found[0], found[1]


def _summarise(context: Context, text: str) -> None:
    """Append to the summary of the step, where GitHub Actions says that there is one."""
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if not place:
        return
    try:
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    except OSError as err:
        context.say(f"tare: the step summary {place} can't be written: {err.strerror}")
