"""`tare report`: find the result files, and let a process of its own draw them."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from bench.cli.context import Context
from bench.errors import BenchFault

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("-o", "--output", type=FILE, help="The HTML file (default: beside the first result file).")
@click.pass_obj
def command(context: Context, runs: tuple[str, ...], output: Path | None) -> NoReturn:
    """Make one self-contained HTML page about RUNS.

    A run is a result file, or the id of one that `tare run` has stored. Without any, it is the newest.
    """
    files = [find(context.results, run) for run in runs] or [newest(context.results)]
    target = output or files[0].with_suffix(".html")
    code = _draw(files, target)
    if code == 0:
        click.echo(target)
    sys.exit(code)


def _draw(files: Sequence[Path], target: Path) -> int:
    """Return the exit code of the drawing process, which has said itself what went wrong."""
    names = [str(file.absolute()) for file in files]
    arguments = ["html", "--output", str(target.absolute()), "--", *names]
    return subprocess.run([sys.executable, "-m", "reports", *arguments], check=False).returncode


def find(results: Path, run: str) -> Path:
    """Return a result file from its path or from the id of a stored run."""
    stored = results / f"{run}.json"
    if "/" not in run and not Path(run).exists() and stored.exists():
        return stored
    return Path(run)


def newest(results: Path) -> Path:
    """Return the run that was stored last; ids begin with the time, so names sort by it."""
    found = sorted(results.glob("*.json"))
    if not found:
        raise BenchFault(f"no stored run in {results}", hint="`tare run` makes one", kind="missing")
    return found[-1]
