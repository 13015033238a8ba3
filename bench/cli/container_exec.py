"""`tare container exec` and `attach`."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

import click

from bench.cli.container_common import RunCommand, engine_id, exit_with, places
from bench.cli.container_options import detach_keys
from runtime.engine import account, documents, foreground
from runtime.engine.detach import Keys
from runtime.errors import RuntimeFault
from runtime.oci import exec as execution
from runtime.oci import record
from runtime.oci.options import Arguments
from runtime.oci.report import Log
from runtime.oci.terminal import Terminal

if TYPE_CHECKING:
    from bench.cli.context import Context


@click.command("exec", cls=RunCommand, context_settings={"allow_interspersed_args": False})
@click.option("-d", "--detach", is_flag=True, help="Return when it runs.")
@click.option("-i", "--interactive", is_flag=True, help="Connect our standard input.")
@click.option("-t", "--tty", is_flag=True, help="Give it a terminal.")
@click.option("-e", "--env", multiple=True, metavar="KEY=VALUE", help="Set an environment variable.")
@click.option("-w", "--workdir", default="", help="Working directory.")
@click.option("-u", "--user", default="", help="User and group, by name or number: USER[:GROUP].")
@click.argument("name")
@click.argument("args", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(
    context: Context, /, *, detach: bool, interactive: bool, tty: bool, env: tuple[str, ...], workdir: str,
    user: str, name: str, args: tuple[str, ...],
) -> NoReturn:  # fmt: skip
    """Run a further command in a container that runs; exits with its code."""

    def work() -> int:
        container, where = engine_id(context, name), places(context)
        if not documents.state(where, container)["Running"]:
            raise RuntimeFault(
                f"container {name} is not running", kind="missing", hint="see tare container ps -a"
            )
        given: dict[str, str | bool | list[str]] = {"tty": tty and not detach, "env": list(env)}
        if workdir:
            given["cwd"] = workdir
        if user:
            given.update(_user(record.find(where.oci, container).pid, user))
        if not interactive or detach:
            _close_input(tty=tty)
        arguments = Arguments({"root": where.oci}, given, [container, *args])
        if detach:
            _silence()
        terminal = Terminal(arguments, detached=detach)
        with execution.execute(arguments, Log(), terminal) as child:
            return 0 if detach else terminal.attend(child)

    exit_with(work)


def _user(pid: int, text: str) -> dict[str, str | list[str]]:
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with TemporaryDirectory(prefix="tare-") as scratch:
            found = account.find(text, root, scratch)
    finally:
        os.close(root)
    return {"user": f"{found.uid}:{found.gid}", "additional-gids": [str(gid) for gid in found.groups]}


def _close_input(*, tty: bool) -> None:
    if not tty:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def _silence() -> None:
    for fd in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


@click.command()
@detach_keys
@click.option("--no-stdin", is_flag=True, help="Leave our standard input alone.")
@click.argument("name")
@click.pass_obj
def attach(context: Context, detach_keys: str, no_stdin: bool, name: str) -> NoReturn:
    """See what a running container writes, and type to it; exits with its code."""

    def work() -> int:
        container, where = engine_id(context, name), places(context)
        tty = documents.plan(where, container)["Config"]["Tty"]
        code, ended_by, _ = foreground.run(
            where,
            container,
            tty=tty,
            stdin=None,
            interactive=not no_stdin,
            operation="attach",
            keys=Keys(detach_keys),
        )
        return 128 + ended_by if ended_by else code

    exit_with(work)
