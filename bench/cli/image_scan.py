"""`tare image scan`: an image's packages against a list of advisories."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.table import table
from runtime.scan import Advisories, inventory

if TYPE_CHECKING:
    from bench.cli.context import Context
    from runtime.scan import Finding


@click.command("scan")
@click.argument("image")
@click.option(
    "--advisories",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The list, as Debian's security tracker publishes it.",
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.option("--strict", is_flag=True, help="Exit with 1 when anything is found.")
@click.pass_obj
def scan(context: Context, image: str, advisories: Path, form: str, strict: bool) -> None:
    """Hold an image's Debian packages against a list of known weaknesses.

    It says what the list says of the versions that dpkg has noted down, and nothing of what was put into the
    image otherwise.
    """
    store = context.store()
    found = inventory(store.layer_paths(store.resolve(image)))
    findings = Advisories.read(advisories).match(found)
    if form == "json":
        click.echo(json.dumps([asdict(one) for one in findings], indent=2))
    elif findings:
        click.echo(
            table(("PACKAGE", "VERSION", "WEAKNESS", "FIXED IN", "URGENCY"), [_row(one) for one in findings])
        )
    context.say(f"{len(findings)} weaknesses in {len(found.packages)} packages of {found.release}")
    if strict and findings:
        sys.exit(1)


def _row(one: Finding) -> tuple[str, str, str, str, str]:
    return one.package.name, one.package.version, one.weakness, one.fixed or "(nothing yet)", one.urgency
