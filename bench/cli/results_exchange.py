"""`tare results import` and `export`."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from bench.cli.context import Context
from bench.errors import BenchFault
from bench.history.names import check
from bench.history.shelf import Shelf
from bench.results import Run, content, decode, encode, load, validate
from bench.results.atomic import replace_file

MODULES = {
    "csv": "csv",
    "markdown": "markdown",
    "parquet": "parquet",
    "junit": "junit",
    "pytest-benchmark": "pytest_export",
}
SUFFIXES = {".csv": "csv", ".md": "markdown", ".parquet": "parquet", ".xml": "junit", ".json": "json"}
FORMATS = ("json", *MODULES)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--save", "name", metavar="NAME", help="A name for the run; only with one FILE.")
@click.pass_obj
def take(context: Context, files: tuple[Path, ...], name: str | None) -> None:
    """Copy FILEs to the stored runs: result files of Tare, or of pytest-benchmark (--benchmark-json).

    Every file is checked before the first is stored.
    """
    if name is not None:
        check(name)
        if len(files) > 1:
            raise BenchFault("one name for several files", hint="import them one by one", kind="usage")
    shelf = Shelf(context.results)
    found = [_read(path) for path in files]
    for identity, data in found:
        shelf.put(identity, data)
        if name is not None:
            shelf.names.put(name, identity)
        click.echo(identity)


@click.command()
@click.argument("run", default="latest")
@click.option(
    "-f", "--format", "form", type=click.Choice(FORMATS), help="Default: by the end of the file's name."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output."
)
@click.pass_obj
def export(context: Context, run: str, form: str | None, output: Path | None) -> None:
    """Write RUN (a file, a name or an id; default: the newest) in another format.

    csv and parquet hold every sample; markdown and junit the medians; pytest-benchmark the times only.
    """
    chosen = form or (SUFFIXES.get(output.suffix) if output else None)
    if chosen is None:
        raise BenchFault(
            "no format is given", hint=f"--format {'|'.join(FORMATS)}, or -o FILE.csv", kind="usage"
        )
    found = load(Shelf(context.results).find(run))
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise BenchFault(
            "Parquet is nothing for a terminal", hint="name a file: -o FILE.parquet", kind="usage"
        )
    data = _rendered(context, found, chosen)
    if output is None:
        click.echo(data, nl=False)
        return
    replace_file(output, data, durable=False)
    context.say(f"{output}")


def _rendered(context: Context, run: Run, form: str) -> bytes:
    if form == "json":
        return encode(run)
    module = importlib.import_module(f"bench.exchange.{MODULES[form]}")
    render: Callable[[Run], str | bytes] = module.export
    if form == "pytest-benchmark":
        _tell_rest(context, run, module.exportable)
    data = render(run)
    return data if isinstance(data, bytes) else data.rstrip("\n").encode() + b"\n"


def _tell_rest(context: Context, run: Run, exportable: Callable[[object], bool]) -> None:
    rest = sorted({m.metric for m in run.measurements if not exportable(m)})
    if len(rest) == len({m.metric for m in run.measurements}):
        raise BenchFault(
            f"run {run.id} holds no time that counts, and pytest-benchmark knows nothing else",
            hint="export it as csv",
            kind="usage",
        )
    if rest:
        context.say(f"tare: left out, since pytest-benchmark knows times only: {', '.join(rest)}")


def _read(path: Path) -> tuple[str, bytes]:
    """Return the id and the bytes of the result file that `path` is or can be turned into."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as err:
        raise BenchFault(f"no file {path}", hint="check the path", kind="missing") from err
    if _is_foreign(data):
        from bench.exchange.pytest_import import convert  # noqa: PLC0415 - rarely needed

        run = convert(data, origin=str(path))
        data = encode(run)
    else:
        data = content(path)
    run = decode(data, origin=str(path))
    validate(run, origin=str(path))
    return run.id, data


def _is_foreign(data: bytes) -> bool:
    try:
        document = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return False
    return isinstance(document, dict) and "benchmarks" in document and "schema" not in document
