"""`tare list`: what there is, and what can run here."""

import json
from dataclasses import asdict

import click
from msgspec import to_builtins

from bench.claims.load import claims
from bench.cli.context import Context
from bench.cli.table import table
from bench.scenarios.registry import scenarios
from bench.targets.drivers import Drivers
from bench.targets.registry import targets

FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@click.group()
def command() -> None:
    """Show the scenarios, targets and claims there are, and what can run here."""


@command.command("scenarios")
@FORMAT
def list_scenarios(form: str) -> None:
    """Show the scenarios, and the targets on which each makes sense."""
    found = [{"name": s.name, "title": s.title, "targets": list(s.targets)} for s in scenarios().values()]
    if form == "json":
        click.echo(json.dumps(found, indent=1))
        return
    click.echo(
        table(
            ("SCENARIO", "TARGETS", "WHAT"),
            [(s.name, " ".join(s.targets), s.title) for s in scenarios().values()],
        )
    )


@command.command("targets")
@FORMAT
@click.option("--connect", metavar="URI", help="A libvirt URI instead of the embedded driver.")
@click.pass_obj
def list_targets(context: Context, form: str, connect: str | None) -> None:
    """Show every target, whether it can run here, and why or why not.

    The accelerator of virtual machines is proven by booting a guest, once; later calls recall the proof.
    """
    with Drivers(context.data, context.run, connect, context.say) as drivers:
        found = [(target, target.availability()) for target in targets(drivers).values()]
    if form == "json":
        rows = [{"name": t.name, "title": t.title, "kind": t.kind, **asdict(a)} for t, a in found]
        click.echo(json.dumps(rows, indent=1))
        return
    rows_of_text = [(t.name, "yes" if a.available else "no", a.version, a.reason) for t, a in found]
    click.echo(table(("TARGET", "AVAILABLE", "VERSION", "REASON"), rows_of_text))


@command.command("claims")
@FORMAT
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
def list_claims(form: str, lang: str) -> None:
    """Show the claims, and whether Tare has a scenario that can decide on each."""
    if form == "json":
        click.echo(json.dumps([to_builtins(one) for one in claims().values()], indent=1, ensure_ascii=False))
        return
    rows = [
        (one.id, ", ".join(dict.fromkeys(p.scenario for p in one.part if p.scenario)) or "-",
         one.says.in_(lang))
        for one in claims().values()
    ]  # fmt: skip
    click.echo(table(("CLAIM", "SCENARIO", "WHAT"), rows))
