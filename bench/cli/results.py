"""`tare results`: the stored runs, and their exchange with other tools."""

from pathlib import Path

import click
import msgspec

from bench.cli.context import Context
from bench.cli.outcome import print_summary
from bench.cli.results_exchange import export, take
from bench.columns import table
from bench.compare.facts import facts
from bench.errors import BenchFault
from bench.history.entry import Entry
from bench.history.names import BASELINE, check
from bench.history.shelf import Shelf
from bench.results import Run, load


@click.group()
def command() -> None:
    """Look after the stored runs, and exchange them with other tools."""


@command.command("list")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def list_runs(context: Context, form: str) -> None:
    """Show the stored runs, the oldest first, with their names."""
    shelf = Shelf(context.results)
    entries, names = shelf.entries(), shelf.names.all()
    named = {e.key: [name for name, key in names.items() if key == e.key] for e in entries}
    if form == "json":
        found = [{**_brief(entry), "names": named[entry.key]} for entry in entries]
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
        return
    rows = [
        (e.key, " ".join(named[e.key]), e.state, e.mode, " ".join(e.scenarios), " ".join(e.targets))
        for e in entries
    ]
    click.echo(table(("RUN", "NAMES", "STATE", "MODE", "SCENARIOS", "TARGETS"), rows))
    for entry in entries:
        if entry.fault:
            context.say(f"tare: {entry.fault}")
    if not entries:
        context.say(f"no stored run in {context.results}; `tare run` makes one")


@command.command()
@click.argument("run", default="latest")
@click.pass_obj
def show(context: Context, run: str) -> None:
    """Print what RUN (a file, a name or an id; default: the newest) measured, and on what."""
    shelf = Shelf(context.results)
    path = shelf.find(run)
    found = load(path)
    _print_head(found, path, shelf.names_of(path.stem) if path.parent == shelf.root else [])
    click.echo()
    print_summary(found)


@command.command()
@click.argument("run")
@click.argument("name")
@click.pass_obj
def name(context: Context, run: str, name: str) -> None:
    """Let NAME stand for RUN from now on; a file from elsewhere is copied to the stored runs."""
    shelf = Shelf(context.results)
    check(name)
    key = shelf.key_of(run)
    before = shelf.names.put(name, key)
    click.echo(f"{name}  {key}")
    if before not in {None, key}:
        context.say(f"tare: {name} was {before}")


@command.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("-f", "--force", is_flag=True, help="Also the baseline.")
@click.pass_obj
def rm(context: Context, runs: tuple[str, ...], *, force: bool) -> None:
    """Remove stored RUNs (names or ids), their reports and their names.

    Nothing is removed when one of them can't be.
    """
    shelf = Shelf(context.results)
    keys = [_removable(shelf, run, force=force) for run in runs]
    for key in dict.fromkeys(keys):
        for gone in shelf.remove(key):
            click.echo(f"removed {gone}")


command.add_command(take)
command.add_command(export)


def _removable(shelf: Shelf, run: str, *, force: bool) -> str:
    path = shelf.find(run)
    if path.parent.resolve() != shelf.root.resolve() or not path.exists():
        raise BenchFault(
            f"{run} is no stored run", hint=f"only what is in {shelf.root} is removed here", kind="usage"
        )
    if shelf.names.get(BASELINE) == path.stem and not force:
        raise BenchFault(
            f"{path.stem} is the baseline",
            hint="`tare baseline clear` first, or --force",
            kind="usage",
        )
    return path.stem


def _brief(entry: Entry) -> dict[str, object]:
    whole: dict[str, object] = msgspec.to_builtins(entry)
    shown = ("started", "finished", "mode", "command", "scenarios", "targets", "fault")
    return {"run": entry.key, "state": entry.state, **{key: whole[key] for key in shown}}


def _print_head(run: Run, path: Path, names: list[str]) -> None:
    known = facts(run.environment)
    words: list[tuple[str, str]] = [
        ("run", run.id),
        ("names", " ".join(names)),
        ("file", str(path)),
        ("started", run.started),
        ("finished", run.finished or "no: it goes on, or was cut off"),
        ("command", " ".join(run.command)),
        ("seed", str(run.seed)),
        *(
            (key, known[key])
            for key in ("cpu.model", "cpu.count", "kernel.release", "cgroup")
            if key in known
        ),
        *(("warning", warning.text) for warning in run.warnings),
        *(("failure", f"{f.scenario} on {f.target}: {f.text.partition(chr(10))[0]}") for f in run.failures),
    ]
    click.echo(table(("", ""), [pair for pair in words if pair[1]]).lstrip("\n"))
