"""`tare chart`: one chart of a run as a file, drawn by a process of its own."""

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import click

from bench.cli.context import Context
from bench.cli.report import FILE
from bench.history.shelf import Shelf


@click.command()
@click.argument("kind")
@click.argument("run", required=False)
@click.option("-o", "--output", type=FILE, required=True, help="A .png, .svg, .pdf or .html file.")
@click.option(
    "--width",
    type=click.IntRange(min=200),
    default=1160,
    show_default=True,
    help="Of a picture, in CSS pixels.",
)
@click.pass_obj
def command(context: Context, kind: str, run: str | None, output: Path, width: int) -> NoReturn:
    """Write the chart KIND of RUN to a file.

    A run is a result file, or the name or the id of a stored one. Without any, it is the newest. An
    unknown KIND is answered with those that there are. Pictures need the extra [images] and Chromium.
    """
    shelf = Shelf(context.results)
    file = shelf.find(run) if run else shelf.newest()
    code = _draw(kind, file, output, width)
    if code == 0:
        click.echo(output)
    sys.exit(code)


def _draw(kind: str, file: Path, output: Path, width: int) -> int:
    """Return the exit code of the drawing process, which has said itself what went wrong."""
    options = ["--output", str(output.absolute()), "--width", str(width)]
    arguments = ["chart", *options, "--", kind, str(file.absolute())]
    return subprocess.run([sys.executable, "-m", "reports", *arguments], check=False).returncode
