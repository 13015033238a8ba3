"""`tare image`: make, list, inspect, name and remove images, and look after their store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from bench.cli.lazy import LazyGroup
from bench.cli.table import table
from runtime.errors import RuntimeFault
from runtime.image import Store, bootstrap
from runtime.image.manifest import encode
from runtime.image.prune import prune
from runtime.image.verify import verify

if TYPE_CHECKING:
    from bench.cli.context import Context
    from runtime.image import Image, Reference

_STEP = 1024


# TLS and HTTP, containers, the builder: no verb needs all of them, and an unchanged build is over sooner.
_LATER = {
    "build": "bench.cli.build:build",
    "cache": "bench.cli.build_cache:cache",
    "export": "bench.cli.image_archive:export",
    "load": "bench.cli.image_archive:load_",
    "pull": "bench.cli.image_registry:pull_",
    "push": "bench.cli.image_registry:push_",
    "scan": "bench.cli.image_scan:scan",
    "save": "bench.cli.image_archive:save_",
}


@click.group(cls=LazyGroup, later=_LATER)
def command() -> None:
    """Make images and look after them."""


def _store(context: Context) -> Store:
    return Store(context.data / "images")


@command.command("bootstrap")
@click.argument("name", metavar="busybox|debian:bookworm")
@click.option("--force", is_flag=True, help="Make it anew if it exists.")
@click.pass_obj
def bootstrap_(context: Context, name: str, force: bool) -> None:
    """Make an image without a registry: from busybox-static, or with mmdebstrap."""
    image = bootstrap(_store(context), name, lambda stage: click.echo(f"  {stage}", err=True), force=force)
    click.echo(image.digest)


@command.command("ls")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def ls(context: Context, form: str) -> None:
    """List the images."""
    images = _store(context).images()
    if form == "json":
        click.echo(json.dumps([_summary(name, image) for name, image in images], indent=2))
        return
    rows = [(n.familiar, i.digest.short, _date(i), str(len(i.layers)), human(i.size)) for n, i in images]
    click.echo(table(("IMAGE", "DIGEST", "CREATED", "LAYERS", "SIZE"), rows))


@command.command("inspect")
@click.argument("image")
@click.pass_obj
def inspect(context: Context, image: str) -> None:
    """Print an image's digest, manifest and configuration as JSON."""
    found = _store(context).resolve(image)
    manifest, config = json.loads(encode(found.manifest)), json.loads(encode(found.document))
    document = {"digest": found.digest, "size": found.size, "manifest": manifest, "config": config}
    click.echo(json.dumps(document, indent=2))


@command.command("history")
@click.argument("image")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def history(context: Context, image: str, form: str) -> None:
    """List the steps that made an image, the last one first."""
    found = _store(context).resolve(image)
    sizes = iter(layer.size for layer in found.layers)
    steps = [(step, 0 if step.empty_layer else next(sizes, 0)) for step in found.document.history][::-1]
    if form == "json":
        parts = [
            {
                "created": step.created and step.created.isoformat(),
                "created_by": step.created_by,
                "comment": step.comment,
                "size": size,
            }
            for step, size in steps
        ]
        click.echo(json.dumps(parts, indent=2))
        return
    rows = [
        (f"{step.created:%Y-%m-%d %H:%M}" if step.created else "", human(size), step.created_by, step.comment)
        for step, size in steps
    ]
    click.echo(table(("CREATED", "SIZE", "MADE BY", "COMMENT"), rows))


@command.command("rm")
@click.option("-f", "--force", is_flag=True, help="Also the last name of an image that a container has.")
@click.argument("images", nargs=-1, required=True)
@click.pass_obj
def rm(context: Context, force: bool, images: tuple[str, ...]) -> None:
    """Forget images; `tare image prune` gives back their space."""
    from bench.cli.image_forget import forget  # noqa: PLC0415 - reads containers

    for image in images:
        for name in forget(context, image, force=force):
            click.echo(f"{name.familiar} removed", err=True)


@command.command("tag")
@click.argument("source")
@click.argument("target")
@click.pass_obj
def tag(context: Context, source: str, target: str) -> None:
    """Give an image another name."""
    _store(context).tag(source, target)


@command.command("prune")
@click.option("--cache", is_flag=True, help="Remove unpacked layers too; they are made again when needed.")
@click.pass_obj
def prune_(context: Context, cache: bool) -> None:
    """Give back the space of what no image and no container needs."""
    from bench.cli.container_common import places  # noqa: PLC0415 - reads containers
    from runtime.engine.holders import layers  # noqa: PLC0415

    done = prune(_store(context), cache=cache, held=lambda: layers(places(context)))
    click.echo(f"{done.blobs} blobs, {done.directories} directories, {human(done.bytes)} freed", err=True)
    for path in done.kept:
        click.echo(f"kept, since it is in use: {path}", err=True)


@command.command("verify")
@click.pass_obj
def verify_(context: Context) -> None:
    """Check every blob and every unpacked layer; fails if something is damaged."""
    problems = verify(_store(context))
    for problem in problems:
        click.echo(f"{problem.what}\n  hint: {problem.remedy}")
    if problems:
        raise RuntimeFault(
            f"{len(problems)} problem{'s' * (len(problems) > 1)} in the image store",
            kind="corrupt",
            hint="each one has its remedy above",
        )
    click.echo("the image store is sound", err=True)


def human(size: int) -> str:
    """Return bytes as people read them: 47675003 is 45.5 MiB."""
    amount, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < _STEP or unit == "TiB":
            break
        amount /= _STEP
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def _summary(name: Reference, image: Image) -> dict[str, object]:
    return {
        "name": str(name),
        "familiar": name.familiar,
        "digest": image.digest,
        "created": image.created.isoformat() if image.created else None,
        "layers": [layer.digest for layer in image.layers],
        "size": image.size,
    }


def _date(image: Image) -> str:
    return f"{image.created:%Y-%m-%d}" if image.created else ""
