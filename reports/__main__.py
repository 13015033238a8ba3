"""`python -m reports`: a process of its own, so that pandas and plotly never are where something is measured.

python -m reports html RUN.json… -o FILE.html
python -m reports chart KIND RUN.json -o FILE.{png,svg,pdf,html}
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench.errors import BenchFault
from bench.results.atomic import check_destination, replace_file

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

    check_destination(output)
    replace_file(output, html.render([model.read(run) for run in runs]).encode(), durable=False)


@command.command("chart")
@click.argument("kind")
@click.argument("run", type=RESULT)
@click.option("-o", "--output", required=True, type=RESULT, help="A .png, .svg, .pdf or .html file.")
@click.option("--width", default=1160, show_default=True, help="Width in CSS pixels.")
def chart(kind: str, run: Path, output: Path, width: int) -> None:
    """Write the chart KIND of RUN; an unknown KIND is answered with those that there are."""
    from reports import images, model  # noqa: PLC0415

    images.save(model.read(run), kind, output, width=width)


def main() -> None:
    """Run the command; a known fault is one line and a hint on standard error."""
    try:
        command(prog_name="python -m reports")
    except BenchFault as fault:
        _end(str(fault), fault.hint, CODES.get(fault.kind, 1))
    except OSError as err:
        _end(
            f"cannot write {err.filename or 'the file'}: {err.strerror}",
            "check the path and the space on the disk",
            3,
        )


def _end(text: str, hint: str, code: int) -> None:
    sys.stderr.write(f"tare: {text}\n  hint: {hint}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
