"""`tare container run` and `create`: their options are docker's."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bench.cli.container_common import RunCommand, exit_with, places, say
from runtime.engine import blueprint, client, foreground
from runtime.errors import RuntimeFault
from runtime.image.locks import locked

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.cli.context import Context

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
LONGEST = 20  # characters; an exabyte in bytes has nineteen
MOST_CPUS = 8192  # NR_CPUS of the largest kernels


def size(text: str) -> int:
    """Parse bytes with docker's suffixes: 64m is 64 MiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([bkmgt]?)(?:i?b)?", text.lower())
    if match is None or len(text) > LONGEST:
        raise click.BadParameter(f"{text!r} is not a size, such as 64m or 1g")
    return int(float(match[1]) * _UNITS[match[2]])


def share(text: str) -> float:
    """Parse CPUs' worth of time, such as 0.5."""
    try:
        cpus = float(text)
    except ValueError:
        cpus = 0.0
    if not 0 < cpus < MOST_CPUS:  # nor is what is no number
        raise click.BadParameter(f"{text!r} is no share of CPUs, such as 0.5")
    return cpus


_OPTIONS = (
    click.option(
        "-m",
        "--memory",
        type=size,
        metavar="SIZE",
        help="Limit of memory and swap together, for example 64m.",
    ),
    click.option(
        "--memory-swap", type=size, metavar="SIZE", help="Limit of memory and swap, if not the same."
    ),
    click.option("--cpus", type=share, metavar="CPUS", help="CPUs' worth of time, for example 0.5."),
    click.option("--cpuset-cpus", "cpuset", default="", help="CPUs to run on, for example 0-2,4."),
    click.option("--pids-limit", "pids", type=int, help="Most processes and threads."),
    click.option(
        "--network", "--net", "network", default="", help="none, host or bridge; none unless -p is given."
    ),
    click.option(
        "-p", "--publish", multiple=True, metavar="[[ADDR:]HOST:]PORT[/udp]", help="Publish a port."
    ),
    click.option("--add-host", multiple=True, metavar="NAME:ADDRESS", help="Add a line to /etc/hosts."),
    click.option("--dns", multiple=True, metavar="ADDRESS", help="Name server to use."),
    click.option(
        "-e", "--env", multiple=True, metavar="KEY=VALUE", help="Set a variable; KEY alone passes ours."
    ),
    click.option(
        "--env-file",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False),
        help="Read variables from a file.",
    ),
    click.option("-l", "--label", multiple=True, metavar="KEY=VALUE", help="Set a label."),
    click.option("-w", "--workdir", default="", help="Working directory in the container."),
    click.option("-u", "--user", default="", help="User and group, by name or number: USER[:GROUP]."),
    click.option("--name", default="", help="Name of the container; the beginning of its id if not given."),
    click.option("-h", "--hostname", default="", help="Host name in the container."),
    click.option("--entrypoint", help="Program to run in place of the image's own."),
    click.option("--read-only", "readonly", is_flag=True, help="Make the root file system read-only."),
    click.option("--tmpfs", multiple=True, metavar="PATH[:OPTIONS]", help="Mount a tmpfs."),
    click.option("--cap-add", multiple=True, metavar="CAP", help="Add a capability, or ALL."),
    click.option("--cap-drop", multiple=True, metavar="CAP", help="Drop a capability, or ALL."),
    click.option(
        "--security-opt", "security", multiple=True, help="no-new-privileges or seccomp=unconfined."
    ),
    click.option(
        "-v",
        "--volume",
        "volumes",
        multiple=True,
        metavar="SRC:DST[:ro]",
        help="Mount a path of the host, or a volume by name.",
    ),
    click.option("--no-new-privileges", is_flag=True, help="Set-uid programs give nothing."),
    click.option(
        "--restart", default="no", show_default=True, help="no, on-failure[:N], always or unless-stopped."
    ),
    click.option("--stop-signal", default="", help="Signal of `stop`; SIGTERM if not given."),
    click.option("--stop-timeout", type=int, help="Seconds before `stop` kills; 10 if not given."),
    click.option("-i", "--interactive", is_flag=True, help="Keep standard input open."),
    click.option("-t", "--tty", is_flag=True, help="Give it a terminal."),
    click.argument("image"),
    click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND [ARG]…]"),
)


def _configured(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command(cls=RunCommand, context_settings={"allow_interspersed_args": False})
@click.option("-d", "--detach", is_flag=True, help="Return at once, and print the id.")
@click.option("--rm/--no-rm", "remove", default=None, help="Remove it when it ends; the default without -d.")
@click.option("--cidfile", type=click.Path(path_type=Path), help="Write the id to a new file.")
@_configured
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
@_configured
@click.pass_obj
def create(context: Context, /, **options: Any) -> NoReturn:  # noqa: ANN401
    """Create a container for `start`, and print its id."""
    options["detach"] = True

    def work() -> int:
        click.echo(_create(context, options)[0])
        return 0

    exit_with(work)


def _run(context: Context, options: dict[str, Any]) -> int:
    if options["remove"] is None:
        options["remove"] = not options["detach"]
    if options["tty"] and options["interactive"] and not options["detach"] and not os.isatty(0):
        raise RuntimeFault("the input device is not a terminal", kind="usage", hint="leave -t out")
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
            where, container, tty=wanted.tty, stdin=given, interactive=feed and given is None
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


def _discard(context: Context, container: str, wanted: blueprint.Wanted) -> None:
    place = Path(places(context).of(container))
    try:
        if wanted.remove and place.exists():
            client.request(places(context), op="remove", id=container, force=True)
    except RuntimeFault:
        if place.exists():  # else the next keeper has removed it by itself
            raise


def _create(context: Context, options: dict[str, Any]) -> tuple[str, blueprint.Wanted]:
    if os.geteuid() != 0:
        raise RuntimeFault("containers need root", kind="host", hint="run it with sudo")
    given = dict(options)
    cidfile = given.pop("cidfile")
    if cidfile and cidfile.exists():
        raise RuntimeFault(f"{cidfile} exists", kind="usage", hint="remove it: it names another container")
    given["command"] = given.pop("args")
    given["env"] = _environment(given.pop("env_file"), given["env"])
    given["labels"] = dict(text.partition("=")[::2] for text in given.pop("label"))
    # Without -d our input is the container's, with or without -i.
    given["interactive"] = given["interactive"] or (not given["detach"] and os.isatty(0) and not given["tty"])
    wanted = blueprint.Wanted(**given)
    store = context.store()
    image = store.resolve(wanted.image)
    with locked(store.root / ".lock", exclusive=False):  # `image prune` comes before, or sees the container
        container = blueprint.create(places(context), wanted, image, store.layer_paths(image))
    if cidfile:
        cidfile.write_text(container, encoding="ascii")
    return container, wanted


def _environment(paths: tuple[str, ...], given: tuple[str, ...]) -> tuple[str, ...]:
    lines = [line.strip() for path in paths for line in Path(path).read_text(encoding="utf-8").splitlines()]
    found = [*(line for line in lines if line and not line.startswith("#")), *given]
    own = [f"{text}={os.environ[text]}" if "=" not in text and text in os.environ else text for text in found]
    return tuple(text for text in own if "=" in text or not text)
