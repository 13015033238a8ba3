"""`tare container commit` and `export`: what a container has become, as an image or as a tar."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click

from bench.cli.container_common import engine_id, places
from bench.cli.image_archive import written
from runtime.cgroups import freezer
from runtime.engine import documents, view
from runtime.oci import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack

    from bench.cli.context import Context
    from runtime.image import Change


class Given(TypedDict):
    """The command line of a commit as click hands it over."""

    author: str
    message: str
    pause: bool
    changes: tuple[str, ...]
    container: str
    name: str | None


@click.command()
@click.option("-a", "--author", default="", help="Who made it, for example NAME <MAIL>.")
@click.option("-m", "--message", default="", help="A comment, for the image's history.")
@click.option("--pause/--no-pause", "-p/ ", default=True, help="Suspend it meanwhile.  [default: pause]")
@click.option(
    "-c",
    "--change",
    "changes",
    multiple=True,
    metavar="INSTRUCTION",
    help="A Dockerfile's, such as 'CMD sh'.",
)
@click.argument("container")
@click.argument("name", metavar="[REPOSITORY[:TAG]]", required=False)
@click.pass_obj
def commit(context: Context, /, **given: Unpack[Given]) -> None:
    """Make an image from a container's changes; prints its digest.

    Volumes are no part of it. The container's command, environment and so on are the image's. Without a name
    it is there until the next `tare image prune`.
    """
    from runtime.builder import change  # noqa: PLC0415 - for these commands alone
    from runtime.image import commit as commit_changes  # noqa: PLC0415

    container = given["container"]
    found, store = engine_id(context, container), context.store()
    plan = documents.plan(places(context), found)
    base, config = store.resolve(plan["Image"]), _change(plan["Config"])
    with _still(context, found, pause=given["pause"]):
        image = commit_changes(
            store, base, _upper(context, found), given["name"],
            config=change.read(config, given["changes"]) if given["changes"] else config,
            author=given["author"], comment=given["message"],
            created_by=" ".join([plan["Path"], *plan["Args"]]),
        )  # fmt: skip
    click.echo(image.digest)


@click.command("export")
@click.option("-o", "--output", metavar="FILE", default="-", help="Write here instead of to stdout.")
@click.argument("container")
@click.pass_obj
def export_container(context: Context, output: str, container: str) -> None:
    """Write a container's whole file system, without volumes, as one tar."""
    from runtime.image import disk  # noqa: PLC0415 - for these commands alone
    from runtime.image.checkout import flatten  # noqa: PLC0415
    from runtime.image.layer.pack import pack  # noqa: PLC0415

    found, store = engine_id(context, container), context.store()
    layers = tuple(map(Path, documents.plan(places(context), found)["Layers"]))
    with store.writing(), disk.scratch_directory(store.scratch) as tree, written(output) as sink:
        flatten((*layers, _upper(context, found)), tree)
        pack(tree, sink, whiteouts=False)


def _upper(context: Context, container: str) -> Path:
    upper = Path(places(context).of(container)) / "upper"
    upper.mkdir(mode=0o755, exist_ok=True)  # one that was created, but not started
    return upper


def _change(config: dict[str, Any]) -> Change:
    from runtime.image import Change  # noqa: PLC0415

    return Change(
        env=dict(item.partition("=")[::2] for item in config["Env"]),
        entrypoint=tuple(config["Entrypoint"] or ()),
        cmd=tuple(config["Cmd"] or ()),
        working_dir=config["WorkingDir"],
        user=config["User"],
        labels=config["Labels"],
    )


@contextmanager
def _still(context: Context, container: str, *, pause: bool) -> Iterator[None]:
    """Suspend a container that runs, so that what it writes is whole; one that is suspended stays so."""
    where = places(context)
    now = view.state(where, container)
    if not (pause and now["Running"]) or now["Paused"]:
        yield
        return
    group = record.find(where.oci, container).group
    freezer.freeze(group)
    try:
        yield
    finally:
        freezer.thaw(group)
