"""`tare compare`: two runs, or two targets of one run, and whether anything got worse."""

import sys
from typing import Any, NoReturn

import click

from bench.cli.context import Context
from bench.cli.judging import FORMAT, Judge, judging, measured, names, two
from bench.compare.formats import Format
from bench.compare.report import Report, compare_runs, compare_targets, selection
from bench.errors import BenchFault
from bench.history.shelf import Shelf


@click.command()
@click.argument("base")
@click.argument("new", required=False)
@click.option("--ab", metavar="TARGET,TARGET", help="Compare two targets of the one run BASE instead.")
@click.option("-t", "--targets", metavar="TARGET[,TARGET]", help="Only these targets.")
@click.option("-m", "--metrics", metavar="METRIC[,METRIC]", help="Only these metrics.")
@judging
@FORMAT
@click.pass_obj
def command(context: Context, /, base: str, new: str | None, form: Format, **options: Any) -> NoReturn:  # noqa: ANN401 - click's values
    """Compare the run NEW with the run BASE: result files, names, ids, `baseline` or `latest`.

    Exits with 1 if a regression is confirmed, with 4 if something is undecided and --strict is given. Fewer
    metrics mean less correction for many tests, so choose those that matter beforehand.
    """
    judge = Judge.of(options)
    report = _report(context, judge, base, new, options)
    sys.exit(judge.tell(context, report, form))


def _report(context: Context, judge: Judge, base: str, new: str | None, options: dict[str, Any]) -> Report:
    shelf = Shelf(context.results)
    keep = selection(names(options["targets"]), names(options["metrics"]))
    old = measured(shelf.find(base))
    if options["ab"]:
        if new is not None:
            raise _usage("--ab compares two targets of one run, and two runs are given")
        judge.check(old)
        return compare_targets(old, *two(options["ab"]), margin=judge.margin, keep=keep)
    if new is None:
        raise _usage("there is one run and nothing to compare it with")
    other = measured(shelf.find(new))
    judge.check(old, other)
    return compare_runs(old, other, margin=judge.margin, keep=keep)


def _usage(text: str) -> BenchFault:
    hint = "tare compare BASE NEW, or tare compare RUN --ab TARGET,TARGET"
    return BenchFault(text, hint=hint, kind="usage")
