"""`tare image save`, `load` and `export`: images as files."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cli.context import Context

_FORMATS = {"oci": "oci", "oci-archive": "oci", "docker": "docker", "docker-archive": "docker"}


@click.command("save")
@click.option("-o", "--output", metavar="FILE", default="-", help="Write here instead of to stdout.")
@click.option(
    "--format", "form", type=click.Choice(list(_FORMATS)), default="oci", show_default=True,
    help="An OCI layout with docker's list beside it, or docker's older form with plain layers.",
)  # fmt: skip
@click.argument("images", nargs=-1, required=True)
@click.pass_obj
def save_(context: Context, output: str, form: str, images: tuple[str, ...]) -> None:
    """Write images into one tar archive, which docker, podman, skopeo and `tare image load` read.

    A name without a tag means all tags of that repository, as with docker. The archive is not compressed:
    its layers are.
    """
    from runtime.image.archive.save import save  # noqa: PLC0415 - for these commands alone

    with written(output) as sink:
        save(context.store(), images, sink, form=_FORMATS[form])


@click.command("load")
@click.option("-i", "--input", "source", metavar="FILE", default="-", help="Read this instead of stdin.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of layers.")
@click.pass_obj
def load_(context: Context, source: str, quiet: bool) -> None:
    """Read images from an archive of OCI or docker, plain or packed with gzip, zstd, bzip2 or xz."""
    from runtime.image.archive.load import load  # noqa: PLC0415 - for these commands alone

    def tell(line: str) -> None:
        click.echo(f"  {line}", err=True)

    with _opened(source) as stream:
        what = "stdin" if source == "-" else source
        for loaded in load(context.store(), stream, what=what, progress=None if quiet else tell):
            for name in loaded.names:
                click.echo(f"Loaded image: {name.familiar_tagged}")
            if not loaded.names:
                click.echo(f"Loaded image ID: {loaded.digest}")


@click.command("export")
@click.option("-o", "--output", metavar="FILE", default="-", help="Write here instead of to stdout.")
@click.argument("image")
@click.pass_obj
def export(context: Context, output: str, image: str) -> None:
    """Write an image's whole file system as one tar, without layers and configuration."""
    from runtime.image.layer.pack import pack  # noqa: PLC0415 - for these commands alone

    store = context.store()
    tree = store.checkout(store.resolve(image))
    with written(output) as sink:
        pack(tree, sink, whiteouts=False)


@contextmanager
def written(output: str) -> Iterator[BinaryIO]:
    """Yield a file, or stdout for `-`; a regular file appears whole or not at all."""
    if output == "-":
        if sys.stdout.isatty():
            hint = "name a file with -o, or send it into a pipe"
            raise RuntimeFault("an archive is nothing for a terminal", kind="usage", hint=hint)
        with os.fdopen(os.dup(1), "wb") as sink:
            yield sink
        return
    path = Path(output)
    if path.exists() and not path.is_file():  # a device or a pipe
        with path.open("wb") as sink:
            yield sink
        return
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("xb") as sink:
            yield sink
        partial.replace(path)
    except OSError as err:
        if err.filename is None:  # a write does not know where to
            raise OSError(err.errno, err.strerror, output) from err
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    if source != "-":
        try:
            stream = Path(source).open("rb")  # noqa: SIM115 - closed below
        except OSError as err:
            reason = (err.strerror or str(err)).lower()
            hint = "name an archive with -i, or send one to stdin"
            raise RuntimeFault(f"cannot read {source}: {reason}", kind="usage", hint=hint) from err
        with stream:
            yield stream
        return
    if sys.stdin.isatty():
        hint = "name an archive with -i, or send one to stdin"
        raise RuntimeFault("stdin is a terminal, not an archive", kind="usage", hint=hint)
    with os.fdopen(os.dup(0), "rb") as stream:
        yield stream
