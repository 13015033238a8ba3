"""`tare baseline`: the run that others are held against."""

import click

from bench.cli.context import Context
from bench.errors import BenchFault
from bench.history.names import BASELINE
from bench.history.shelf import Shelf


@click.group()
def command() -> None:
    """Choose the run that others are compared with: `--compare baseline`."""


@command.command("set")
@click.argument("run", default="latest")
@click.pass_obj
def choose(context: Context, run: str) -> None:
    """Make RUN (a file, a name or an id; default: the newest) the baseline.

    A file from elsewhere is copied to the stored runs.
    """
    shelf = Shelf(context.results)
    key = shelf.key_of(run)
    before = shelf.names.put(BASELINE, key)
    click.echo(f"baseline  {key}")
    if before not in {None, key}:
        context.say(f"tare: the baseline was {before}")


@command.command()
@click.pass_obj
def show(context: Context) -> None:
    """Print the id and the file of the baseline."""
    path = Shelf(context.results).find(BASELINE)
    click.echo(f"baseline  {path.stem}\nfile      {path}")


@command.command()
@click.pass_obj
def clear(context: Context) -> None:
    """Forget the baseline; its run stays."""
    if not Shelf(context.results).names.drop(BASELINE):
        raise BenchFault("there is no baseline", hint="`tare baseline set RUN` sets one", kind="missing")
    click.echo("there is no baseline now")
