"""`tare system`: this host, and what a crash left."""

import os

import click
import msgspec

from bench.cli.context import Context


@click.group()
def command() -> None:
    """Show this host, and remove what a crash left."""


@command.command()
@click.pass_obj
def info(context: Context) -> None:
    """Print what Tare records of this host, as JSON."""
    from bench.environment import survey  # noqa: PLC0415 - no other verb needs it

    found = msgspec.json.encode(survey(context.data))
    click.echo(msgspec.json.format(found, indent=1).decode())


@command.command()
@click.pass_obj
def prune(context: Context) -> None:
    """Remove what killed processes of Tare left: guests, containers, cgroups, mounts, unfinished files.

    Nothing that has a living owner is touched, and nothing that is not Tare's.
    """
    if os.geteuid() != 0 and (context.data / "engine").exists():
        from runtime import rootless  # noqa: PLC0415 - some of its files belong to others of the user's ids

        rootless.enter(rootless.plan())
    from bench.targets.residue import prune as remove  # noqa: PLC0415

    removed = remove(context.data, context.run, context.say)
    for name in removed:
        click.echo(f"removed {name}")
    context.say(f"{len(removed)} removed" if removed else "nothing to remove")
