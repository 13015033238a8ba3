"""`tare run`: measure scenarios on targets, write the result file as it grows, then the report."""

import math
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import click

from bench.cli.afterwards import Afterwards
from bench.cli.context import Context
from bench.cli.judging import judging
from bench.cli.outcome import make_report, print_summary, took, warned
from bench.cli.pacing import again, agree, pacing
from bench.cli.scenarios import check_precision, wanted
from bench.cli.table import table
from bench.cli.targets import Targets, chosen
from bench.harness import Plan, execute
from bench.results import new_id
from bench.results.atomic import check_destination
from bench.sizes import Mode, Sizes
from bench.targets.installed import STANDARD
from bench.targets.names import ALL
from bench.targets.variants import offering
from bench.turns import turns

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("scenario", nargs=-1, metavar="[SCENARIO]…")
@click.option(
    "-t",
    "--targets",
    type=Targets(),
    help=f"What to measure (default: {', '.join(STANDARD)}; `{ALL}`: whatever can run here).",
)
@click.option(
    "--ab",
    type=Targets(exactly=2),
    help="Measure two targets in turns and compare the second with the first.",
)
@click.option("-r", "--runs", type=click.IntRange(1, 10000), help="Counted runs of each target and scenario.")
@click.option("--fast", "mode", flag_value="fast", type=str, help="Few runs: a first look within minutes.")
@click.option("--rigorous", "mode", flag_value="rigorous", type=str, help="Many runs: for publication.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the order (default: random, and recorded).")
@click.option(
    "--order", type=click.Choice(["interleaved", "blocked"]), default="interleaved", show_default=True
)
@pacing
@click.option("--json", "json_file", type=FILE, help="The result file (default: below Tare's data).")
@click.option("--html", "html_file", type=FILE, help="The report (default: beside the result file).")
@click.option("--save", metavar="NAME", help="A name for the run; an earlier run of this name loses it.")
@click.option(
    "--compare", "reference", metavar="RUN", help="Compare with RUN: a file, a name, an id, or `baseline`."
)
@judging
@click.option("--connect", metavar="URI", help="A libvirt URI instead of the embedded driver.")
@click.option("--dry-run", is_flag=True, help="Print the order of the runs and measure nothing.")
@click.option("-q", "--quiet", is_flag=True, help="No progress display.")
@click.pass_obj
def command(
    context: Context,
    /,
    scenario: tuple[str, ...],
    mode: Mode | None,
    **options: Any,  # noqa: ANN401 - click's values
) -> NoReturn:
    """Measure SCENARIOs on targets and write the result file and the report.

    Without a SCENARIO that is startup, memory, layers and cpu; `all` is every one of `tare list scenarios`.

    A target is one of `tare list targets`, or a version of one with another image, kernel or runtime:
    BASE:KEY=VALUE or BASE@LABEL:KEY=VALUE, such as container:image=debian:12 or oci:runtime=crun.

    The result file is complete and valid at every moment; a crash loses at most the sample in flight. Exits
    with 1 if a start or a measurement failed or a regression is confirmed, 3 if this host lacks what was
    asked for, 4 if the comparison leaves something undecided and --strict is given.
    """
    plan = _plan(context, scenario, mode, options)
    asked = options
    if options["resumed"]:
        plan, asked = _resumed(context, plan, {"scenario": scenario, "mode": mode, **options})
    after = Afterwards.of(context, [one.name for one in plan.scenarios], asked)
    if options["dry_run"]:
        _print_order(plan)
        sys.exit(0)
    html = options["html_file"] or plan.file.with_suffix(".html")
    for path in (plan.file, html):
        check_destination(path)  # before the minutes that a measurement takes
    with offering(chosen(asked).versions):
        run = execute(plan)
    after.save(context, plan.file)
    print_summary(run)
    make_report(plan.file, html)
    duration = f"\ntook     {took(run)}" if took(run) else ""
    click.echo(f"\nresults  {plan.file}\nreport   {html}{duration}")
    for text in warned(run):
        context.say(f"tare: {text}")
    for failure in run.failures:
        words = failure.text.partition("\n")[0]
        context.say(f"tare: {failure.scenario} on {failure.target} failed: {words}")
        if failure.hint:
            context.say(f"  hint: {failure.hint}")
    code = after.compare(context, run)
    sys.exit(1 if run.failures else code)


def _plan(context: Context, names: Sequence[str], mode: Mode | None, options: dict[str, Any]) -> Plan:
    asked = chosen(options)
    measured = wanted(names, [version.name for version in asked.versions], cold=options["cold"])
    if options["precision"]:
        check_precision(measured)
    identity = new_id()
    seed = random.SystemRandom().randrange(2**31) if options["seed"] is None else options["seed"]
    return Plan(
        data=context.data,
        run=context.run,
        identity=identity,
        scenarios=measured,
        targets=asked.names or None,
        every=asked.every,
        sizes=Sizes(
            mode or "default", seed, options["order"], options["runs"], options["precision"], options["cold"]
        ),
        max_time=options["max_time"] or math.inf,
        file=Path(
            options["resumed"] or options["json_file"] or context.results / f"{identity}.json"
        ).absolute(),
        uri=options["connect"],
        command=("tare", *sys.argv[1:]),
        quiet=options["quiet"],
    )


def _resumed(context: Context, asked: Plan, given: dict[str, Any]) -> tuple[Plan, dict[str, Any]]:
    """Return the plan of the run that is taken up, and the options that it was begun with."""
    file = asked.file
    options, seed = again(command, file)
    agree(given, {**options, "seed": seed}, file)
    began = _plan(context, options.pop("scenario"), options.pop("mode"), options)
    plan = replace(
        began, file=file, resume=True, sizes=replace(began.sizes, seed=seed), quiet=asked.quiet,
        max_time=asked.max_time if asked.max_time < math.inf else began.max_time,
    )  # fmt: skip
    return plan, options


def _print_order(plan: Plan) -> None:
    rows = [
        (
            scenario.name,
            str(slot.round),
            str(slot.position),
            slot.target + (" (warm-up)" if slot.warmup else ""),
        )
        for scenario in plan.scenarios
        for slot in turns(
            scenario, plan.sizes, plan.targets or (scenario.targets if plan.every else STANDARD)
        )
    ]
    click.echo(table(("SCENARIO", "ROUND", "POSITION", "WHAT"), rows))
    click.echo(f"\nseed {plan.sizes.seed}, order {plan.sizes.order}, {len(rows)} turns; nothing was measured")
