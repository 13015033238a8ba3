"""`tare container`: the verbs that a user of docker knows, each in the module of its kind."""

from __future__ import annotations

import os
import sys

import click

from bench.cli.container_common import failed, places
from bench.cli.container_copy import copy
from bench.cli.container_exec import attach, execute
from bench.cli.container_image import commit, export_container
from bench.cli.container_life import (
    kill,
    pause,
    prune,
    rename,
    restart,
    rm,
    start,
    stop,
    unpause,
    update,
    wait,
)
from bench.cli.container_options import size
from bench.cli.container_run import create, run
from bench.cli.container_view import inspect, list_containers, logs, port, stats, top
from bench.cli.container_volume import volume
from runtime.errors import RuntimeFault

__all__ = ["command", "size"]


_LOOKING = {"ps", "inspect", "logs", "port"}
_WITH_CODES = {"run", "create", "exec", "attach"}


@click.group()
@click.pass_context
def command(ctx: click.Context) -> None:
    """Run containers and look after them."""
    if os.geteuid() != 0 and ctx.invoked_subcommand not in _LOOKING and "--help" not in sys.argv:
        from runtime.engine import session  # noqa: PLC0415 - for ordinary users

        try:
            session.enter(places(ctx.obj))
        except (RuntimeFault, OSError) as err:
            if ctx.invoked_subcommand not in _WITH_CODES:
                raise
            failed(err)


for _verb in (
    run, create, start, stop, kill, restart, rm, list_containers, execute, attach, logs, stats, top, wait,
    inspect, port, pause, unpause, copy, rename, update, prune, volume, commit, export_container,
):  # fmt: skip
    command.add_command(_verb)
