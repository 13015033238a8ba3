"""`tare claims`: one run of all that the claims need, then a verdict on each."""

import random
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from bench.claims import words
from bench.claims.definition import Claim
from bench.claims.load import asked, select
from bench.claims.words import Language, say
from bench.cli.context import Context
from bench.cli.outcome import make_report
from bench.cli.table import table
from bench.harness import Plan, execute
from bench.results import Run, new_id
from bench.results.atomic import check_destination
from bench.scenarios.registry import scenarios
from bench.sizes import Sizes
from bench.targets import installed

FILE = click.Path(dir_okay=False, path_type=Path)
DIGITS = 16
"""Of a digest, as the table shows it; the result file has all."""


@click.command()
@click.argument("claim", nargs=-1, metavar="[CLAIM]…")
@click.option("--fast", is_flag=True, help="Few runs: preliminary verdicts within minutes.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the order (default: random, and recorded).")
@click.option("--json", "json_file", type=FILE, help="The result file (default: below Tare's data).")
@click.option("--html", "html_file", type=FILE, help="The report (default: beside the result file).")
@click.option("--lang", type=click.Choice(words.LANGUAGES), default="en", show_default=True)
@click.option("--connect", metavar="URI", help="A libvirt URI instead of the embedded driver.")
@click.option("-q", "--quiet", is_flag=True, help="No progress display.")
@click.pass_obj
def command(
    context: Context,
    /,
    claim: tuple[str, ...],
    **options: Any,  # noqa: ANN401 - click's values
) -> NoReturn:
    """Measure what CLAIMs (default: all of `tare list claims`) need, and give each a verdict.

    Experiment, rule and margin of a claim are fixed beforehand. The verdicts are supported, refuted, partly,
    and not evaluable here; they are in the result file too. Exits with 1 if a start or a measurement failed,
    3 if nothing that the claims need can run here.
    """
    chosen, lang = select(claim), options["lang"]
    measured = [one for one in chosen if one.has_experiment]
    if not measured:
        context.say("nothing was measured, so there is no result file")
        _print(chosen, [], lang)
        sys.exit(0)
    plan = _plan(context, measured, options)
    html = options["html_file"] or plan.file.with_suffix(".html")
    for path in (plan.file, html):
        check_destination(path)
    run = execute(plan)
    _print(chosen, _records(run), lang)
    make_report(plan.file, html)
    click.echo(f"\nresults  {plan.file}\nreport   {html}")
    for failure in run.failures:
        context.say(
            f"tare: {failure.scenario} on {failure.target} failed: {failure.text.partition(chr(10))[0]}"
        )
    sys.exit(1 if run.failures else 0)


def _plan(context: Context, measured: Sequence[Claim], options: dict[str, Any]) -> Plan:
    fast, seed, identity = options["fast"], options["seed"], new_id()
    wanted = asked(measured, fast=fast)
    return Plan(
        data=context.data,
        run=context.run,
        identity=identity,
        scenarios=tuple(one for name, one in scenarios().items() if name in wanted),
        targets=tuple(
            name for name in installed.names() if any(name in counts for counts in wanted.values())
        ),
        optional=True,
        claims=tuple(one.id for one in measured),
        sizes=Sizes(
            "fast" if fast else "default",
            random.SystemRandom().randrange(2**31) if seed is None else seed,
            asked=wanted,
        ),
        file=(options["json_file"] or context.results / f"{identity}.json").absolute(),
        uri=options["connect"],
        command=("tare", *sys.argv[1:]),
        quiet=options["quiet"],
    )


def _records(run: Run) -> list[dict[str, Any]]:
    return [record for record in run.verdicts if record["kind"] == "claim"]


def _print(chosen: Sequence[Claim], records: list[dict[str, Any]], lang: Language) -> None:
    """Print a row for every part of every claim, then where each verdict comes from."""
    known = {record["claim"]: record for record in records}
    head = [say(code, lang) for code in ("claim", "verdict", "flip", "evidence")]
    rows = [row for one in chosen for row in _rows(one, known.get(one.id), lang)]
    click.echo(table(head, rows))
    if known:
        click.echo(f"\n{say('ready', lang)}\n")
        head = [say(code, lang) for code in ("claim", "data", "repeat")]
        click.echo(table(head, [_source(record) for record in records]))


def _rows(claim: Claim, record: dict[str, Any] | None, lang: Language) -> list[tuple[str, ...]]:
    flip = claim.flip.in_(lang)
    if record is None:
        return [(claim.id, say("not evaluable here", lang), flip, say("no-scenario", lang))]
    first, *others = (words.evidence(part, lang) for part in record["parts"])
    return [(claim.id, words.heading(record, lang), flip, first), *(("", "", "", one) for one in others)]


def _source(record: dict[str, Any]) -> tuple[str, ...]:
    return record["claim"], record["data"][:DIGITS] or "-", shlex.join(record["repeat"])
