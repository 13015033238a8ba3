"""`tare container`: verbs that begin, end and change containers."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.container_common import engine_id, find, places
from bench.cli.container_options import share, size
from runtime.cgroups import freezer
from runtime.cgroups import oci as cgroup
from runtime.container import records
from runtime.container.spec import check
from runtime.container.started import handles
from runtime.engine import bundle, client, documents, foreground, grammar, rights
from runtime.errors import RuntimeFault
from runtime.oci import members, record, signals

if TYPE_CHECKING:
    from bench.cli.context import Context
    from runtime.oci.record import Record

_names = click.argument("names", nargs=-1, required=True)
_grace = click.option(
    "-t", "--time", "grace", type=float, help="Seconds before SIGKILL; 10 if not given, or as created."
)


@click.command()
@click.option("-a", "--attach", is_flag=True, help="Stay with it, and exit with its code.")
@_names
@click.pass_context
def start(ctx: click.Context, attach: bool, names: tuple[str, ...]) -> None:
    """Start containers that were created or have ended."""
    context: Context = ctx.obj
    for name in names:
        container = engine_id(context, name)
        if attach:
            tty = documents.plan(places(context), container)["Config"]["Tty"]
            ctx.exit(foreground.run(places(context), container, tty=tty, stdin=None, interactive=tty)[0])
        client.request(places(context), op="start", id=container)
        click.echo(name)


@click.command()
@_grace
@_names
@click.pass_obj
def stop(context: Context, grace: float | None, names: tuple[str, ...]) -> None:
    """Ask containers to end, with SIGTERM, and kill those that do not."""
    for name in names:
        found = find(context, name)
        if isinstance(found, str):
            _stop(context, found, grace)
        else:
            records.stop(found, 10.0 if grace is None else grace)
        click.echo(name)


def _stop(context: Context, container: str, grace: float | None) -> None:
    config, pid = documents.plan(places(context), container)["Config"], _pid(context, container)
    number = signals.number(config["StopSignal"])
    if grace is None:
        grace = float(config["StopTimeout"]) if config["StopTimeout"] is not None else 10.0
    # Without a handler the kernel drops the signal (pid_namespaces(7)): there is nothing to wait for.
    wanted = number if not pid or handles(pid, number) else signal.SIGKILL
    client.request(places(context), op="stop", id=container, signal=wanted, grace=grace)


def _pid(context: Context, container: str) -> int:
    return int(documents.state(places(context), container)["Pid"])


@click.command()
@click.option("-s", "--signal", "text", default="KILL", show_default=True, help="Signal, by name or number.")
@_names
@click.pass_obj
def kill(context: Context, text: str, names: tuple[str, ...]) -> None:
    """Send a signal to process 1 of containers."""
    number = signals.number(text)
    for name in names:
        found = find(context, name)
        if isinstance(found, str):
            client.request(places(context), op="kill", id=found, signal=number)
        else:
            records.send(found, number)
        click.echo(name)


@click.command()
@_grace
@_names
@click.pass_obj
def restart(context: Context, grace: float | None, names: tuple[str, ...]) -> None:
    """Stop containers if they run, and start them."""
    for name in names:
        container = engine_id(context, name)
        if documents.state(places(context), container)["Running"]:
            _stop(context, container, grace)
        client.request(places(context), op="start", id=container)
        click.echo(name)


@click.command()
@click.option("-f", "--force", is_flag=True, help="Kill it first if it runs.")
@_names
@click.pass_obj
def rm(context: Context, force: bool, names: tuple[str, ...]) -> None:
    """Remove containers and what they have written, and the volumes without a name that they had."""
    for name in names:
        try:
            found = find(context, name)
        except RuntimeFault as err:
            if force and err.kind == "missing":
                continue
            raise
        if isinstance(found, str):
            client.request(places(context), op="remove", id=found, force=force)
        else:
            records.remove(found, force=force)
        click.echo(name)


@click.command()
@_names
@click.pass_obj
def wait(context: Context, names: tuple[str, ...]) -> None:
    """Wait until containers have ended, and print their exit codes."""
    for name in names:
        answer = client.request(places(context), op="wait", id=engine_id(context, name))
        click.echo(answer["exit"]["ExitCode"])


@click.command()
@_names
@click.pass_obj
def pause(context: Context, names: tuple[str, ...]) -> None:
    """Suspend all processes of containers."""
    for name in names:
        held = _running(context, name, paused=False)
        members.need_cgroup(held, "pause")
        freezer.freeze(held.group)
        click.echo(name)


@click.command()
@_names
@click.pass_obj
def unpause(context: Context, names: tuple[str, ...]) -> None:
    """Let the processes of containers go on."""
    for name in names:
        held = _running(context, name, paused=True)
        members.need_cgroup(held, "resume")
        freezer.thaw(held.group)
        click.echo(name)


def _running(context: Context, name: str, *, paused: bool) -> Record:
    container = engine_id(context, name)
    if not _pid(context, container):
        raise RuntimeFault(
            f"container {name} is not running", kind="missing", hint="see tare container ps -a"
        )
    found = record.find(places(context).oci, container)
    if (found.status == "paused") is not paused:
        already = "is not paused" if paused else "is paused already"
        raise RuntimeFault(f"container {name} {already}", hint="see tare container ps")
    return found


@click.command()
@click.argument("name")
@click.argument("new")
@click.pass_obj
def rename(context: Context, name: str, new: str) -> None:
    """Give a container another name."""
    where, container = places(context), engine_id(context, name)
    plan = documents.plan(where, container)
    check(new, ("any",), ())
    documents.claim(where, new, container)
    documents.write(f"{where.of(container)}/container.json", {**plan, "Name": f"/{new}"})
    (Path(where.names) / plan["Name"].removeprefix("/")).unlink(missing_ok=True)


@click.command()
@click.option(
    "-m", "--memory", "Memory", type=size, metavar="SIZE", help="Limit of memory and swap together."
)
@click.option("--memory-swap", "MemorySwap", type=size, metavar="SIZE", help="Limit of memory and swap.")
@click.option("--cpus", type=share, metavar="CPUS", help="CPUs' worth of time.")
@click.option("--cpuset-cpus", "CpusetCpus", help="CPUs to run on.")
@click.option("--pids-limit", "PidsLimit", type=int, help="Most processes and threads.")
@click.option("--restart", help="Restart policy.")
@_names
@click.pass_obj
def update(context: Context, /, names: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """Change limits of containers, at once for those that run."""
    for name in names:
        _update(context, engine_id(context, name), options)
        click.echo(name)


_OPTIONS = {
    "Memory": "--memory", "MemorySwap": "--memory-swap", "NanoCpus": "--cpus", "CpusetCpus": "--cpuset-cpus",
    "PidsLimit": "--pids-limit",
}  # fmt: skip


def _update(context: Context, container: str, options: dict[str, Any]) -> None:
    where = places(context)
    plan, config = documents.plan(where, container), documents.read(f"{where.of(container)}/plan.json")
    changed = {key: value for key, value in options.items() if key[0].isupper() and value is not None}
    if options["cpus"]:
        changed["NanoCpus"] = int(options["cpus"] * 1e9)
    if "Memory" in changed and "MemorySwap" not in changed:
        changed["MemorySwap"] = changed["Memory"]
    if options["restart"]:
        changed["RestartPolicy"] = grammar.policy(options["restart"])
    if not changed:
        raise RuntimeFault("there is nothing to change", kind="usage", hint="name a limit")
    rights.rights().check_limits([_OPTIONS[name] for name in changed if name in _OPTIONS])
    plan["HostConfig"].update(changed)
    wanted = bundle.resources(plan["HostConfig"])
    if _pid(context, container):
        cgroup.make(cgroup.update(record.find(where.oci, container).group, wanted))
    config["linux"]["resources"].update(wanted)
    documents.write(f"{where.of(container)}/plan.json", config)
    documents.write(f"{where.of(container)}/container.json", plan)


@click.command()
@click.option("-f", "--force", is_flag=True, help="Accepted for docker's sake: there is no question.")
@click.pass_obj
def prune(context: Context, force: bool) -> None:  # noqa: ARG001 - see its help
    """Remove all containers that do not run."""
    where = places(context)
    for container in documents.everything(where):
        if documents.state(where, container)["Status"] in {"created", "exited"}:
            client.request(where, op="remove", id=container, force=False)
            click.echo(container)
