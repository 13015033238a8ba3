"""`tare image cache`: what builds have kept for later ones, and giving its space back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from bench.cli.build import own_namespaces
from bench.cli.table import table

if TYPE_CHECKING:
    from bench.cli.context import Context


@click.group("cache")
def cache() -> None:
    """Show or give back what builds have kept for later ones."""


@cache.command("ls")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def ls(context: Context, form: str) -> None:
    """List results of steps, and the directories of RUN --mount=type=cache by their ids."""
    from runtime.builder import shelf  # noqa: PLC0415 - for builds alone

    own_namespaces()
    kept = shelf.everything(context.store(), context.data)
    if form == "json":
        rows = [{"kind": k.kind, "name": k.name, "bytes": k.bytes, "made": k.made.isoformat()} for k in kept]
        click.echo(json.dumps(rows, indent=2))
        return
    lines = [(k.kind, k.name[:24], f"{k.made:%Y-%m-%d %H:%M}", str(k.bytes)) for k in kept]
    click.echo(table(("KIND", "NAME", "MADE", "BYTES"), lines))


@cache.command("prune")
@click.pass_obj
def prune(context: Context) -> None:
    """Forget all of it but what a running build uses; the next build makes every step anew."""
    from bench.cli.container_common import places  # noqa: PLC0415 - reads containers
    from runtime.builder import shelf  # noqa: PLC0415 - for builds alone
    from runtime.engine.holders import layers  # noqa: PLC0415
    from runtime.image.prune import prune as prune_images  # noqa: PLC0415

    own_namespaces()
    store = context.store()
    steps, mounts = shelf.forget(store, context.data)
    done = prune_images(store, held=lambda: layers(places(context)))
    click.echo(f"{steps} steps, {mounts} cache mounts, {done.blobs} blobs removed", err=True)
