"""`tare container run` and `create`: their options are docker's."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bench.cli.container_common import RunCommand, exit_with, places, say
from bench.cli.container_options import configured, detach_keys
from runtime.engine import blueprint, client, foreground
from runtime.engine.detach import Keys
from runtime.engine.wanted import Wanted
from runtime.errors import RuntimeFault
from runtime.image.locks import locked

if TYPE_CHECKING:
    from bench.cli.context import Context


@click.command(cls=RunCommand, context_settings={"allow_interspersed_args": False})
@click.option("-d", "--detach", is_flag=True, help="Return at once, and print the id.")
@click.option("--rm/--no-rm", "remove", default=None, help="Remove it when it ends; the default without -d.")
@click.option("--cidfile", type=click.Path(path_type=Path), help="Write the id to a new file.")
@detach_keys
@configured
@click.pass_obj
def run(context: Context, /, **options: Any) -> NoReturn:  # noqa: ANN401 - click passes the options by name
    """Run COMMAND in a new container from IMAGE.

    In the foreground, the container is removed at the end unless --no-rm is given, its input is ours, and
    the exit code is the command's own, 128+N after signal N (137: out of memory, or killed), 125 when Tare
    itself failed, 126 when the command can't be executed, 127 when it is not in the image.
    """
    exit_with(lambda: _run(context, options))


@click.command(cls=RunCommand, context_settings={"allow_interspersed_args": False})
@click.option("--rm/--no-rm", "remove", default=False, help="Remove it when it ends.")
@click.option("--cidfile", type=click.Path(path_type=Path), help="Write the id to a new file.")
@configured
@click.pass_obj
def create(context: Context, /, **options: Any) -> NoReturn:  # noqa: ANN401
    """Create a container for `start`, and print its id."""
    options["detach"] = True

    def work() -> int:
        click.echo(_create(context, options)[0])
        return 0

    exit_with(work)


def _run(context: Context, options: dict[str, Any]) -> int:
    if options["remove"] and options["restart"] != "no":
        raise RuntimeFault("--restart and --rm can't go together", kind="usage", hint="leave one out")
    if options["remove"] is None:
        options["remove"] = not options["detach"]
    if options["tty"] and options["interactive"] and not options["detach"] and not os.isatty(0):
        raise RuntimeFault("the input device is not a terminal", kind="usage", hint="leave -t out")
    keys = Keys(options["detach_keys"])
    container, wanted = _create(context, options)
    where = places(context)
    if wanted.detach:
        client.request(where, op="start", id=container)
        click.echo(container)
        return 0
    feed = wanted.interactive or (os.isatty(0) and not wanted.tty)
    given = 0 if not wanted.tty and not os.isatty(0) else None
    try:
        code, ended_by, state = foreground.run(
            where,
            container,
            tty=wanted.tty,
            stdin=given,
            interactive=feed and given is None,
            keys=keys,
        )
    except RuntimeFault:
        _discard(context, container, wanted)
        raise
    if state["OOMKilled"] and wanted.memory:
        limit = f"{wanted.memory / (1 << 20):g} MiB"
        say(
            f"out of memory: container {wanted.name or container[:12]} reached its limit {limit}",
            "give it more with --memory",
        )
    return 128 + ended_by if ended_by and code == 128 + signal.SIGKILL else int(code)


def _discard(context: Context, container: str, wanted: Wanted) -> None:
    place = Path(places(context).of(container))
    try:
        if wanted.remove and place.exists():
            client.request(places(context), op="remove", id=container, force=True)
    except RuntimeFault:
        if place.exists():  # else the next keeper has removed it by itself
            raise


def _create(context: Context, options: dict[str, Any]) -> tuple[str, Wanted]:
    given = {key: value for key, value in options.items() if key != "detach_keys"}
    cidfile = given.pop("cidfile")
    if cidfile and cidfile.exists():
        raise RuntimeFault(f"{cidfile} exists", kind="usage", hint="remove it: it names another container")
    given["command"] = given.pop("args")
    given["env"] = _environment(given.pop("env_file"), given["env"])
    labels = [*_lines(given.pop("label_file")), *given.pop("label")]
    given["labels"] = dict(text.partition("=")[::2] for text in labels)
    # Without -d our input is the container's, with or without -i.
    given["interactive"] = given["interactive"] or (not given["detach"] and os.isatty(0) and not given["tty"])
    wanted = Wanted(**given)
    store = context.store()
    image = store.resolve(wanted.image)
    with locked(store.root / ".lock", exclusive=False):  # `image prune` comes before, or sees the container
        container = blueprint.create(places(context), wanted, image, store.layer_paths(image))
    if cidfile:
        cidfile.write_text(container, encoding="ascii")
    return container, wanted


def _lines(paths: tuple[str, ...]) -> list[str]:
    lines = [line.strip() for path in paths for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _environment(paths: tuple[str, ...], given: tuple[str, ...]) -> tuple[str, ...]:
    found = [*_lines(paths), *given]
    own = [f"{text}={os.environ[text]}" if "=" not in text and text in os.environ else text for text in found]
    return tuple(text for text in own if "=" in text or not text)
