"""`tare container`: verbs that only look."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.container_common import engine_id, places
from bench.cli.container_filter import selection
from bench.cli.template import render
from runtime.cgroups import events
from runtime.container import records
from runtime.engine import documents, view
from runtime.engine.history import History
from runtime.errors import RuntimeFault
from runtime.oci import members, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cli.context import Context

_MIB = 1 << 20
_LINE = "{:<14} {:<24} {:<24} {:<14} {:<26} {:<24} {}"
_LIMITLESS = 1 << 60
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TURN = 0.1  # seconds between two looks at a log or two lines of figures


@click.command("ps")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that do not run.")
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
@click.option("--no-trunc", is_flag=True, help="Whole ids and commands.")
@click.option(
    "-f",
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="name, id, label, status, ancestor, exited, volume or network; several of a key are or.",
)
@click.option("--format", "form", default="table", metavar="FORM", help="table, json or a template.")
@click.pass_obj
def list_containers(
    context: Context, /, *, everything: bool, quiet: bool, no_trunc: bool, filters: tuple[str, ...], form: str
) -> None:
    """List the containers that run, those of benchmarks too."""
    selected = selection(filters)
    everything = everything or selected.ended
    rows = [row for row in _rows(context) if everything or row["status"] not in {"created", "exited"}]
    rows = [row for row in rows if selected.has(row)]
    if form not in {"table", "json"}:
        for row in rows:
            click.echo(render(form, _fields(row, no_trunc=no_trunc)))
    elif form == "json":
        click.echo(json.dumps(rows, indent=2))
    elif quiet:
        for row in rows:
            click.echo(row["container_id"] if no_trunc else row["container_id"][:12])
    else:
        _table(rows, no_trunc=no_trunc)


def _table(rows: list[dict[str, Any]], *, no_trunc: bool) -> None:
    click.echo(_LINE.format("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"))
    for row in rows:
        text, name = " ".join(row["args"]), row["container_id"] if no_trunc else row["container_id"][:12]
        command = text if no_trunc else f"{text:.22}"
        age = f"{int(time.time() - row['created'])} s ago"
        image = row["labels"].get("image", "-")
        click.echo(_LINE.format(name, image, command, age, row["summary"], row["ports"], row["id"]))


def _fields(row: dict[str, Any], *, no_trunc: bool) -> dict[str, Any]:
    command = " ".join(row["args"])
    labels = {key: value for key, value in row["labels"].items() if key != "image"}
    return {
        "ID": row["container_id"] if no_trunc else row["container_id"][:12], "Names": row["id"],
        "Image": row["labels"].get("image", ""),
        "Command": json.dumps(command if no_trunc else f"{command:.20}"),
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(row["created"])),
        "RunningFor": f"{int(time.time() - row['created'])} seconds ago", "State": row["status"],
        "Status": row["summary"], "Ports": row["ports"], "Networks": row["network"],
        "Mounts": ",".join(row["mounts"]),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
    }  # fmt: skip


def _rows(context: Context) -> Iterator[dict[str, Any]]:
    where = places(context)
    for container in documents.everything(where):
        try:
            plan, now = documents.plan(where, container), view.state(where, container)
        except RuntimeFault:  # it was removed meanwhile
            continue
        yield {
            "id": plan["Name"].removeprefix("/"), "status": now["Status"], "pid": now["Pid"],
            "owner": (now["Keeper"] or {}).get("pid", 0), "created": view.seconds_of(plan["Created"]),
            "args": [plan["Path"], *plan["Args"]],
            "labels": {**plan["Config"]["Labels"], "image": plan["Config"]["Image"]},
            "container_id": container, "summary": view.status(now), "ports": ", ".join(_ports(now)),
            "exit_code": now["ExitCode"], "network": plan["HostConfig"]["NetworkMode"],
            "mounts": [mount.get("Name") or mount["Source"] for mount in plan["Mounts"]],
            "image": plan["Image"],
        }  # fmt: skip
    for one in records.records(context.run):
        if one.kind == "container":
            yield {
                "id": one.id, "status": one.status, "pid": one.pid, "owner": one.owner,
                "created": one.created, "args": list(one.args), "labels": one.labels,
                "container_id": one.id, "summary": one.status,
                "ports": "", "exit_code": 0, "network": "", "mounts": [], "image": "",
            }  # fmt: skip


def _ports(now: dict[str, Any]) -> list[str]:
    found = (now["Network"] or {}).get("Ports", {}) if now["Running"] else {}
    return [_published(place, inner) for inner, outer in found.items() for place in outer]


def _published(place: dict[str, str], inner: str) -> str:
    return f"{place['HostIp']}:{place['HostPort']}->{inner}"


@click.command()
@click.argument("name")
@click.argument("inner", metavar="[PORT[/PROTOCOL]]", default="")
@click.pass_obj
def port(context: Context, name: str, inner: str) -> None:
    """Show the published ports of a container, or where one of them is."""
    published = [line.split("->") for line in _ports(view.state(places(context), engine_id(context, name)))]
    if not inner:
        for outer, one in published:
            click.echo(f"{one} -> {outer}")
        return
    wanted = inner if "/" in inner else f"{inner}/tcp"
    found = [outer for outer, one in published if one == wanted]
    if not found:
        raise RuntimeFault(
            f"container {name} has no port {wanted} published",
            kind="missing",
            hint=f"tare container port {name}",
        )
    click.echo("\n".join(found))


@click.command()
@click.option("-f", "--format", "form", default="", metavar="TEMPLATE", help="Show what a template says.")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def inspect(context: Context, form: str, names: tuple[str, ...]) -> None:
    """Show all that is known about containers, as JSON with docker's names."""
    found = [view.inspect(places(context), engine_id(context, name)) for name in names]
    if form:
        for document in found:
            click.echo(render(form, document))
        return
    click.echo(json.dumps(found, indent=4, ensure_ascii=False))


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on until the container ends.")
@click.option("-n", "--tail", default="all", help="Only so many lines from the end.")
@click.option("--since", default="", help="Only lines after a time, or younger than 10m, 2h.")
@click.option("-t", "--timestamps", is_flag=True, help="Show the time of each line.")
@click.argument("name")
@click.pass_obj
def logs(context: Context, /, *, follow: bool, tail: str, since: str, timestamps: bool, name: str) -> None:
    """Show what a container has written: its two streams on ours."""
    where, container = places(context), engine_id(context, name)
    if tail != "all" and not tail.isdigit():
        raise RuntimeFault(
            f"--tail {tail} is no number of lines", kind="usage", hint="for example 20, or all"
        )
    plan = documents.plan(where, container)
    if plan["HostConfig"]["LogConfig"]["Type"] == "none":
        raise RuntimeFault(f"container {name} keeps no log", kind="usage", hint="it has --log-driver none")
    history = History(Path(plan["LogPath"]))
    rows = [row for row in history.read() if not since or view.seconds_of(row["time"]) >= _moment(since)]
    for row in rows if tail == "all" else rows[len(rows) - min(int(tail), len(rows)) :]:
        _print(row, timestamps=timestamps)
    while follow:
        running = view.state(where, container)["Status"] in {"running", "paused", "restarting"}
        for row in history.read():
            _print(row, timestamps=timestamps)
        if not running:
            return
        time.sleep(_TURN)


def _moment(text: str) -> float:
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if match:
        return time.time() - int(match[1]) * _SECONDS[match[2]]
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else view.seconds_of(text)
    except ValueError as err:
        raise RuntimeFault(f"--since {text} is no time", kind="usage", hint="for example 10m") from err


def _print(row: dict[str, Any], *, timestamps: bool) -> None:
    stream = sys.stderr if row["stream"] == "stderr" else sys.stdout
    stream.write(f"{row['time']} {row['log']}" if timestamps else row["log"])
    stream.flush()


@click.command()
@click.argument("name")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def top(context: Context, name: str, options: tuple[str, ...]) -> None:
    """Show the processes of a container, by ps(1)."""
    where, container = places(context), engine_id(context, name)
    found = {str(pid) for pid in members.pids(record.find(where.oci, container))}
    done = subprocess.run(["ps", *(options or ("-ef",))], capture_output=True, text=True, check=False)
    header, *lines = done.stdout.splitlines() or [""]
    if "PID" not in header.split():
        raise RuntimeFault("ps printed no column PID", kind="usage", hint="ask for one, as -ef does")
    column = header.split().index("PID")
    click.echo("\n".join([header, *(line for line in lines if line.split()[column] in found)]))


@click.command()
@click.option("--no-stream", is_flag=True, help="Show the figures once.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.argument("names", nargs=-1)
@click.pass_obj
def stats(context: Context, no_stream: bool, form: str, names: tuple[str, ...]) -> None:
    """Show what running containers use: CPU since the last look, memory, processes."""
    where = places(context)
    while True:
        ids = [engine_id(context, name) for name in names] or documents.everything(where)
        running = [one for one in ids if view.state(where, one)["Running"]]
        before = {one: _figures(context, one) for one in running}
        began = time.monotonic()
        time.sleep(_TURN if no_stream else 1.0)
        rows = [_row(context, one, before[one], time.monotonic() - began) for one in running]
        if form == "json":
            click.echo(json.dumps(rows))
        else:
            click.echo(f"{'NAME':<24} {'CPU %':>8} {'MEM USAGE':>12} {'LIMIT':>12} {'PIDS':>6}")
            for row in rows:
                limit = f"{row['memory_limit'] / _MIB:.1f} MiB" if row["memory_limit"] else "-"
                usage = f"{row['memory'] / _MIB:.1f} MiB"
                click.echo(
                    f"{row['name']:<24} {row['cpu_percent']:>8.2f} {usage:>12} {limit:>12} {row['pids']:>6}"
                )
        if no_stream:
            return


def _figures(context: Context, container: str) -> dict[str, Any]:
    try:
        held = record.find(places(context).oci, container)
    except RuntimeFault:  # it has ended
        return {}
    members.need_cgroup(held, "measure")
    return events.stats(held.group)


def _row(context: Context, container: str, before: dict[str, Any], seconds: float) -> dict[str, Any]:
    now = _figures(context, container) or before
    used = now["cpu"]["usage"]["total"] - before["cpu"]["usage"]["total"] if before else 0
    memory = now.get("memory", {}).get("usage", {"usage": 0, "limit": 0})
    limit = memory["limit"] if memory["limit"] < _LIMITLESS else 0
    return {
        "id": container, "name": documents.plan(places(context), container)["Name"].removeprefix("/"),
        "cpu_percent": round(used / 1e9 / seconds * 100, 2), "memory": memory["usage"], "memory_limit": limit,
        "pids": now.get("pids", {}).get("current", 0),
    }  # fmt: skip
