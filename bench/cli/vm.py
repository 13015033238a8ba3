"""`tare vm`: prove the accelerator, run a guest in the foreground, list and destroy."""

from __future__ import annotations

import json
import sys
import time
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bench.channel import Channel
from bench.cli.container import size
from bench.cli.table import table
from bench.target import Box
from bench.targets.drivers import Drivers
from bench.targets.machine import VirtualMachine
from vmdriver import accel
from vmdriver.errors import MachineFault
from vmdriver.prune import end
from vmdriver.record import records
from vmdriver.spec import FLAVOURS, Flavour

if TYPE_CHECKING:
    from bench.cli.context import Context
    from vmdriver.accel import Accelerator

_connect = click.option(
    "--connect", "uri", metavar="URI", help="A libvirt URI instead of the embedded driver."
)
_format = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")


@click.group()
def command() -> None:
    """Run virtual machines and find out what they run on."""


@command.command()
@click.option("--refresh", is_flag=True, help="Boot again instead of recalling an earlier proof.")
@_connect
@_format
@click.pass_obj
def check(context: Context, refresh: bool, uri: str | None, form: str) -> None:
    """Prove by booting a guest whether this host has hardware virtualization that works."""
    with Drivers(context.data, context.run, uri, _say) as drivers:
        found = accel.prove(drivers.hypervisor, drivers.data, drivers.kernel, refresh=refresh, progress=_say)
    click.echo(json.dumps(asdict(found), indent=2) if form == "json" else _told(found))


def _told(found: Accelerator) -> str:
    lines = [f"accelerator  {found.name}{'  (recalled; --refresh boots again)' if found.cached else ''}"]
    lines += [f"  {'booted ' if attempt.booted else 'refused'}  {attempt.text}" for attempt in found.attempts]
    if found.name == "tcg":
        reason = "" if len(found.attempts) > 1 else f"; {accel.NO_DEVICE[0]}"
        lines.append(f"  guests are emulated: slow for computing, and marked tcg in every result{reason}")
    return "\n".join(lines + [f"  {key}: {value}" for key, value in found.key.items()])


@command.command(context_settings={"allow_interspersed_args": False})
@click.option("-m", "--memory", type=size, default="512m", metavar="SIZE", help="Memory, for example 256m.")
@click.option("--cpus", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--workload", default="agent", show_default=True, help="The image that runs; vm-full has its own."
)
@click.option("--disk", is_flag=True, help="Put the root file system on a disk, not into memory.")
@click.option("--timeout", type=float, default=120.0, show_default=True, help="Seconds for boot and command.")
@_connect
@click.argument("flavour", type=click.Choice(list(FLAVOURS)))
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND [ARG]…]")
@click.pass_obj
def run(
    context: Context,
    *,
    memory: int,
    cpus: int,
    workload: str,
    disk: bool,
    timeout: float,
    uri: str | None,
    flavour: Flavour,
    args: tuple[str, ...],
) -> None:
    """Boot a guest, run COMMAND in its shell, print what it wrote, and destroy the guest.

    Exits with the command's own status. Without COMMAND the guest's kernel tells its name.
    """
    box = Box(workload, memory, cpus, root="linked" if disk else "memory")
    deadline = time.monotonic() + timeout
    with (
        Drivers(context.data, context.run, uri, _say) as drivers,
        VirtualMachine(drivers, flavour).launcher(box) as launcher,
    ):
        instance = launcher.start(f"run-{uuid.uuid4().hex[:8]}")
        try:
            channel = Channel(instance.agent, instance.console)
            channel.wait("listening", deadline=deadline)
            done = channel.execute(" ".join(args) or "uname -a", deadline)
        finally:
            instance.remove()
    click.echo(done.output, nl=False)
    sys.exit(done.status)


@command.command("ls")
@_format
@click.pass_obj
def ls(context: Context, form: str) -> None:
    """List the guests that were started, and whether their owner still runs."""
    rows = [
        {"name": one.name, "flavour": one.flavour, "owner": one.owner.pid, "orphan": not one.owner.alive()}
        for one in records(context.run)
    ]
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    owners = [f"{row['owner']}{' (gone: tare system prune)' if row['orphan'] else ''}" for row in rows]
    cells = [(str(row["name"]), str(row["flavour"]), owner) for row, owner in zip(rows, owners, strict=True)]
    click.echo(table(("NAME", "FLAVOUR", "OWNER"), cells))


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.pass_obj
def destroy(context: Context, names: tuple[str, ...]) -> None:
    """End guests at once, whoever started them."""
    known = {record.name: record for record in records(context.run.absolute())}
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none"
            raise MachineFault(f"there is no guest named {name}", kind="missing", hint=f"there are: {there}")
        click.echo(end(known[name]))


def _say(line: str) -> None:
    click.echo(f"  {line}", err=True)
