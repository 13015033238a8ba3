"""`tare system`: this host, and what a crash left."""

import os

import click
import msgspec

from bench.cli.context import Context


@click.group()
def command() -> None:
    """Show this host, what about it spoils numbers, and remove what a crash left."""


@command.command()
@click.pass_obj
def info(context: Context) -> None:
    """Print what Tare records of this host, as JSON."""
    from bench.environment import survey  # noqa: PLC0415 - no other verb needs it

    found = msgspec.json.encode(survey(context.data))
    click.echo(msgspec.json.format(found, indent=1).decode())


@command.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def check(context: Context, form: str) -> None:
    """Tell what about this host would spoil numbers, and how to mend it; takes 2 seconds, changes nothing."""
    from bench.clock import MonotonicClock  # noqa: PLC0415 - no other verb needs them
    from bench.environment import survey  # noqa: PLC0415
    from bench.environment.check import modes, observed  # noqa: PLC0415
    from bench.environment.host import Host  # noqa: PLC0415
    from bench.sentinels import Sentinels  # noqa: PLC0415

    # The look comes first: the survey is busy itself.
    found = [*observed(Sentinels(), MonotonicClock()), *modes(Host()), *survey(context.data).caveats]
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
        return
    for caveat in found:
        click.echo(f"{caveat.code}: {caveat.text}\n  mend it: {caveat.remedy}")
    context.say(
        f"{len(found)} found; nothing was changed" if found else "nothing was found that would spoil numbers"
    )


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
