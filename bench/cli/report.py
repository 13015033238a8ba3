"""`tare report`: find the result files, and let a process of its own draw them."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from bench.cli.context import Context
from bench.history.shelf import Shelf

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("-o", "--output", type=FILE, help="The HTML file (default: beside the first result file).")
@click.pass_obj
def command(context: Context, runs: tuple[str, ...], output: Path | None) -> NoReturn:
    """Make one self-contained HTML page about RUNS.

    A run is a result file, or the name or the id of a stored one. Without any, it is the newest.
    """
    shelf = Shelf(context.results)
    files = [shelf.find(run) for run in runs] or [shelf.newest()]
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
