"""`tare container`: the verbs that a user of docker knows, each in the module of its kind."""

from __future__ import annotations

import click

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
from bench.cli.container_run import create, run, size
from bench.cli.container_view import inspect, list_containers, logs, port, stats, top
from bench.cli.container_volume import volume

__all__ = ["command", "size"]


@click.group()
def command() -> None:
    """Run containers and look after them."""


for _verb in (
    run, create, start, stop, kill, restart, rm, list_containers, execute, attach, logs, stats, top, wait,
    inspect, port, pause, unpause, rename, update, prune, volume, commit, export_container,
):  # fmt: skip
    command.add_command(_verb)
