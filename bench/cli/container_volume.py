"""`tare container volume`: directories that outlive containers."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.container_common import places
from runtime.engine.holders import holders
from runtime.errors import RuntimeFault
from runtime.process.removal import remove_tree

if TYPE_CHECKING:
    from bench.cli.context import Context
    from runtime.engine.places import Places


@click.group()
def volume() -> None:
    """Look after volumes."""


@volume.command()
@click.argument("name", required=False)
@click.pass_obj
def create(context: Context, name: str | None) -> None:
    """Create a volume, and print its name."""
    name = name or secrets.token_hex(32)
    if "/" in name or name.startswith("."):
        raise RuntimeFault(f"{name} is no name for a volume", kind="usage", hint="use letters and digits")
    Path(places(context).volume(name)).mkdir(parents=True, exist_ok=True)
    click.echo(name)


@volume.command("ls")
@click.pass_obj
def list_volumes(context: Context) -> None:
    """List the volumes."""
    home = Path(places(context).volumes)
    for path in sorted(home.iterdir()) if home.is_dir() else ():
        click.echo(path.name)


@volume.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def rm(context: Context, names: tuple[str, ...]) -> None:
    """Remove volumes that no container has."""
    where = places(context)
    for name in names:
        if "/" in name or not Path(where.volume(name)).is_dir():
            raise RuntimeFault(
                f"there is no volume {name}", kind="missing", hint="see tare container volume ls"
            )
        users = _users(where, name)
        if users:
            hint = "remove the containers first"
            raise RuntimeFault(f"volume {name} is in use by {', '.join(users)}", kind="usage", hint=hint)
        remove_tree(str(Path(where.volumes) / name))
        click.echo(name)


def _users(where: Places, name: str) -> list[str]:
    return [holder.name for holder in holders(where) if name in holder.volumes]
