"""`tare container`: run one in the foreground, list, stop, kill and remove."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from runtime.container import Bind, ContainerSpec, Resources, Spawner, records
from runtime.container.spec import PATH
from runtime.container.started import handles
from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from types import FrameType

    from bench.cli.context import Context
    from runtime.container import ExitStatus, Started

_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_PASSED = ("network", "hostname", "readonly", "cap_add", "cap_drop", "no_new_privileges")
_CODES = {"not-executable": 126, "not-found": 127}
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class RunUsageError(click.UsageError):
    """A wrong command line of `run`: 125, so that it can't be taken for the container's own code."""

    exit_code = 125


class RunCommand(click.Command):
    """A command whose usage errors end with 125, as docker's do."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - click's signature
        """Parse the command line."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as err:
            raise RunUsageError(err.format_message(), err.ctx) from err


LONGEST = 20  # characters; an exabyte in bytes has nineteen


def size(text: str) -> int:
    """Parse bytes with docker's suffixes: 64m is 64 MiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([bkmgt]?)(?:i?b)?", text.lower())
    if match is None or len(text) > LONGEST:
        raise click.BadParameter(f"{text!r} is not a size, such as 64m or 1g")
    return int(float(match[1]) * _UNITS[match[2]])


@click.group()
def command() -> None:
    """Run containers and look after them."""


@command.command(cls=RunCommand, context_settings={"allow_interspersed_args": False})
@click.option(
    "-m", "--memory", type=size, metavar="SIZE", help="Limit of memory and swap together, for example 64m."
)
@click.option("--cpus", type=float, help="CPUs' worth of time, for example 0.5.")
@click.option("--pids-limit", "pids", type=int, help="Most processes and threads.")
@click.option("--network", type=click.Choice(["none", "host"]), default="none", show_default=True)
@click.option("-e", "--env", multiple=True, metavar="KEY=VALUE", help="Set an environment variable.")
@click.option("-w", "--workdir", help="Working directory in the container.")
@click.option("-u", "--user", help="User and group, by name or number: USER[:GROUP].")
@click.option("--name", help="Name of the container; random if not given.")
@click.option("--hostname", default="", help="Host name in the container.")
@click.option("--read-only", "readonly", is_flag=True, help="Make the root file system read-only.")
@click.option("--cap-add", multiple=True, metavar="CAP", help="Add a capability, or ALL.")
@click.option("--cap-drop", multiple=True, metavar="CAP", help="Drop a capability, or ALL.")
@click.option("-v", "--volume", multiple=True, metavar="SRC:DST[:ro]", help="Bind-mount a path of the host.")
@click.option("--no-new-privileges", is_flag=True, help="Set-uid programs give nothing.")
@click.option("--rm", is_flag=True, hidden=True, help="Accepted for docker's sake; it is always removed.")
@click.argument("image")
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND [ARG]…]")
@click.pass_obj
def run(context: Context, /, **options: Any) -> NoReturn:  # noqa: ANN401 - click passes the options by name
    """Run COMMAND in a new container from IMAGE, in the foreground, and remove the container at the end.

    Exits with the command's own code, 128+N after signal N (137: out of memory, or killed), 125 when Tare
    itself failed, 126 when the command can't be executed, 127 when it is not in the image.
    """
    options.pop("rm")
    try:
        code = _run(context, options)
    except RuntimeFault as err:
        _say(str(err), err.hint)
        code = _CODES.get(err.kind, 125)
    except OSError as err:
        _say(f"{err.filename or 'the host'}: {err.strerror or err}", "see the path in the message")
        code = 125
    except KeyboardInterrupt:  # before there was a process 1 to pass it to
        code = 130
    sys.exit(code)


def _run(context: Context, options: dict[str, Any]) -> int:

    with Spawner(context.run, context.data) as spawner:
        spec = _spec(context, options)
        with spawner.start(spec, stdin=0, stdout=1, stderr=2) as started:
            return _report(spec, *_attend(started))


def _spec(context: Context, options: dict[str, Any]) -> ContainerSpec:

    store = context.store()
    image = store.resolve(options["image"])
    config = image.config
    name = options["name"] or uuid.uuid4().hex[:12]
    return ContainerSpec(
        id=name,
        layers=store.layer_paths(image),
        args=image.argv(options["args"]),
        env=(PATH, *config.env, *options["env"]),
        cwd=options["workdir"] or config.working_dir or "/",
        user=options["user"] or config.user,
        resources=Resources(options["memory"], options["cpus"], options["pids"]),
        mounts=tuple(_bind(volume) for volume in options["volume"]),
        labels={"image": options["image"]},
        **{key: options[key] for key in _PASSED},
    )  # fmt: skip


def _bind(text: str) -> Bind:

    parts = text.split(":")
    if len(parts) not in {2, 3} or (parts[2:] and parts[2] not in {"ro", "rw"}):
        raise RuntimeFault(
            f"volume {text!r} is not SRC:DST[:ro]", kind="usage", hint="for example /srv/data:/data:ro"
        )
    return Bind(Path(parts[0]).absolute(), parts[1], readonly=parts[2:] == ["ro"])


def _attend(started: Started) -> tuple[ExitStatus, int | None]:
    """Pass signals on until process 1 ends; also the signal with which the user ended it, if that was needed.

    The kernel drops a signal that process 1 has no handler for, and Ctrl-C would do nothing; so process 1 is
    then killed. It is killed as well when the user asks a second time.
    """
    ended_by: list[int] = []
    asked: set[int] = set()

    def forward(number: int, _frame: FrameType | None) -> None:
        if number in _ENDING and (number in asked or not handles(started.pid, number)):
            ended_by.append(number)
            started.kill(signal.SIGKILL)
        asked.add(number)
        started.kill(number)

    previous = {name: signal.signal(getattr(signal, name), forward) for name in _FORWARDED}
    try:
        status = started.wait()
    finally:
        for name, handler in previous.items():
            signal.signal(getattr(signal, name), handler)
    return status, ended_by[0] if ended_by else None


def _report(spec: ContainerSpec, status: ExitStatus, ended_by: int | None) -> int:
    if status.oom and spec.resources.memory:
        limit = f"{spec.resources.memory / (1 << 20):g} MiB"
        _say(f"out of memory: container {spec.id} reached its limit {limit}", "give it more with --memory")
    return 128 + ended_by if ended_by and status.signal == signal.SIGKILL else status.shell_code


@command.command("ps")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def list_containers(context: Context, form: str) -> None:
    """List the containers on record."""
    found = [record for record in records.records(context.run) if record.kind == "container"]
    if form == "json":
        fields = ("id", "status", "pid", "owner", "created", "args", "labels")
        click.echo(
            json.dumps([{name: getattr(record, name) for name in fields} for record in found], indent=2)
        )
        return
    click.echo(f"{'NAME':<24} {'IMAGE':<24} {'STATUS':<10} {'PID':>8} {'AGE':>8}  COMMAND")
    for record in found:
        image, age = record.labels.get("image", "-"), f"{time.time() - record.created:.0f} s"
        text = " ".join(record.args)
        click.echo(f"{record.id:<24} {image:<24} {record.status:<10} {record.pid:>8} {age:>8}  {text:.40}")


@command.command()
@click.option(
    "-t", "--time", "grace", type=float, default=10.0, show_default=True, help="Seconds before SIGKILL."
)
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def stop(context: Context, grace: float, names: tuple[str, ...]) -> None:
    """Ask containers to end, with SIGTERM, and kill those that do not."""
    for name in names:
        records.stop(records.find(context.run, name), grace)
        click.echo(name)


@command.command()
@click.option("-s", "--signal", "text", default="KILL", show_default=True, help="Signal, by name or number.")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def kill(context: Context, text: str, names: tuple[str, ...]) -> None:
    """Send a signal to process 1 of containers."""
    number = _signal_number(text)
    for name in names:
        records.send(records.find(context.run, name), number)
        click.echo(name)


@command.command()
@click.option("-f", "--force", is_flag=True, help="Kill it first if it runs.")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def rm(context: Context, force: bool, names: tuple[str, ...]) -> None:
    """Remove containers whose owner is gone; others are removed by their owner when they end."""
    for name in names:
        records.remove(records.find(context.run, name), force=force)
        click.echo(name)


def _signal_number(text: str) -> int:
    name = text.upper().removeprefix("SIG")
    known = {item.name.removeprefix("SIG"): item.value for item in signal.Signals}
    if text.isdigit() and int(text) in known.values():
        return int(text)
    if name not in known:
        raise RuntimeFault(f"there is no signal {text}", kind="usage", hint="for example TERM, KILL or 9")
    return known[name]


def _say(message: str, hint: str) -> None:
    click.echo(f"tare: {message}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)
