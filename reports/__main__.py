"""`python -m reports`: a process of its own, so that pandas and plotly never are where something is measured.

python -m reports html RUN.json… -o FILE.html
python -m reports chart KIND RUN.json -o FILE.{png,svg,pdf,html}
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench.errors import BenchFault

CODES = {"usage": 2, "missing": 2, "host": 3}
RESULT = click.Path(dir_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """Turn result files into reports and charts."""


@command.command("html")
@click.argument("runs", nargs=-1, required=True, type=RESULT)
@click.option("-o", "--output", required=True, type=RESULT, help="The HTML file to write.")
def html_report(runs: tuple[Path, ...], output: Path) -> None:
    """Write one self-contained page about RUNS."""
    from reports import html, model  # noqa: PLC0415 - a second of import that --help doesn't need

    write(output, html.render([model.read(run) for run in runs]))


@command.command("chart")
@click.argument("kind")
@click.argument("run", type=RESULT)
@click.option("-o", "--output", required=True, type=RESULT, help="A .png, .svg, .pdf or .html file.")
@click.option("--width", default=1160, show_default=True, help="Width in CSS pixels.")
def chart(kind: str, run: Path, output: Path, width: int) -> None:
    """Write the chart KIND of RUN; an unknown KIND is answered with those that there are."""
    from reports import images, model  # noqa: PLC0415

    images.save(model.read(run), kind, output, width=width)


def write(path: Path, text: str) -> None:
    """Write a report completely or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main() -> None:
    """Run the command; a known fault is one line and a hint on standard error."""
    try:
        command(prog_name="python -m reports")
    except BenchFault as fault:
        _end(str(fault), fault.hint, CODES.get(fault.kind, 1))
    except OSError as err:
        _end(f"cannot write {err.filename}: {err.strerror}", "check the path and the space on the disk", 3)


def _end(text: str, hint: str, code: int) -> None:
    sys.stderr.write(f"tare: {text}\n  hint: {hint}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
