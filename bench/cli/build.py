"""`tare image build`: an image from a Dockerfile; the options are docker's."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from bench.cli import again
from bench.cli import build_options as options
from bench.cli import build_output as output
from runtime import environment
from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from bench.cli.context import Context
    from runtime.builder.cache import Cache
    from runtime.builder.executor import Options
    from runtime.builder.plan import Plan, Request
    from runtime.builder.progress import Progress
    from runtime.image.image import Image
    from runtime.image.reference import Reference
    from runtime.image.store import Store


class Given(TypedDict):
    """The command line as click hands it over."""

    where: str
    file: str
    tags: tuple[str, ...]
    args: tuple[str, ...]
    labels: tuple[str, ...]
    target: str
    platform: str
    hosts: tuple[str, ...]
    network: str
    secrets: tuple[str, ...]
    agents: tuple[str, ...]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    pull: bool
    no_cache: bool
    fresh: tuple[str, ...]
    outputs: tuple[str, ...]
    iidfile: Path | None
    metadata: Path | None
    progress: str
    quiet: bool


_PATH = click.Path(path_type=Path)
_OPTIONS = (
    click.option("-f", "--file", "file", default="", help="The Dockerfile, if elsewhere; - is stdin."),
    click.option("-t", "--tag", "tags", multiple=True, metavar="NAME[:TAG]", help="Name the image."),
    click.option("--build-arg", "args", multiple=True, metavar="NAME[=VALUE]", help="Set an ARG's value."),
    click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Add a label."),
    click.option("--target", default="", help="Stage to build; the last one if not given."),
    click.option("--platform", default="", metavar="OS/ARCH", help="Checked: only this machine's is built."),
    click.option("--add-host", "hosts", multiple=True, metavar="NAME:ADDRESS", help="A name for each RUN."),
    click.option(
        "--network",
        type=click.Choice(["default", "host", "none"]),
        default="default",
        help="The network of a RUN that names none.",
    ),
    click.option(
        "--secret", "secrets", multiple=True, metavar="id=ID[,src=FILE|,env=NAME]", help="For RUN --mount."
    ),
    click.option("--ssh", "agents", multiple=True, metavar="default|ID=SOCKET", help="For RUN --mount."),
    click.option("--cache-from", "sources", multiple=True, metavar="type=local,src=DIR", help="Import it."),
    click.option("--cache-to", "targets", multiple=True, metavar="type=local,dest=DIR", help="Export it."),
    click.option("--pull", is_flag=True, help="Pull base images though the store has them."),
    click.option("--no-cache", is_flag=True, help="Make every step anew."),
    click.option(
        "--no-cache-filter", "fresh", multiple=True, metavar="STAGE[,STAGE]", help="Make these stages anew."
    ),
    click.option(
        "-o",
        "--output",
        "outputs",
        multiple=True,
        metavar="DIR|-|type=TYPE[,dest=PATH]",
        help="Also put the result there: local, tar, oci.",
    ),
    click.option("--iidfile", type=_PATH, help="Write the image's digest to a file."),
    click.option("--metadata-file", "metadata", type=_PATH, help="Write what was made to a file, as JSON."),
    click.option(
        "--progress",
        type=click.Choice(["auto", "plain", "tty", "quiet"]),
        default="auto",
        help="How to show the steps; auto is tty on a terminal, else plain.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but the digest."),
)


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    for add in reversed(_OPTIONS):
        function = add(function)
    return function


@click.command("build", cls=options.Command)
@click.argument("where", metavar="DIRECTORY|TAR|-")
@_with_options
@click.pass_obj
def build(context: Context, /, **given: Unpack[Given]) -> None:
    """Build an image from the Dockerfile in a directory, and print its digest.

    A tar is a directory too, also one on stdin (-); what else comes there is a Dockerfile without any.
    Base images that the store has not (`tare image ls`) are pulled. A RUN has this machine's network
    unless it says --network=none. SOURCE_DATE_EPOCH makes equal input give an equal image. What was built
    without -t stays until the next `tare image prune`.
    """
    from bench.cli.build_input import source  # noqa: PLC0415 - no other verb needs them
    from runtime.builder import executor, stages  # noqa: PLC0415
    from runtime.builder.dockerfile import parse  # noqa: PLC0415
    from runtime.image.reference import Reference  # noqa: PLC0415

    note = _note(context, given)
    own_namespaces()
    names = tuple(Reference.parse(tag) for tag in given["tags"])
    request, how = _request(given), _options(context, given)
    outputs = [output.parse(text) for text in given["outputs"]]
    places = executor.Places(context.store(), context.run, context.data)
    with source(given["where"], given["file"], context.data) as found:
        recipe = stages.read(parse(found.content, found.name))
        done: list[tuple[Plan, Cache]] = []
        image = executor.build(
            places, recipe, request, found.context, names, options=how, seen=lambda *each: done.append(each)
        )
    for each in outputs:
        each.write(places.store, image, names)
    _keep(image, names, given["iidfile"], given["metadata"])
    if note and not done[0][0].fetches:
        _leave(note, places.store, done[0], image, names)
    click.echo(image.digest, err=any(each.on_stdout for each in outputs))


_UNREPEATABLE = (
    "secrets", "agents", "sources", "targets", "pull", "no_cache", "fresh", "outputs", "iidfile", "metadata",
)  # fmt: skip


def _note(context: Context, given: Given) -> again.Note | None:
    """Return what this build would have to find again; None for one that reads or writes more than that."""
    where, file = Path(given["where"]), given["file"]
    asked = [name for name in _UNREPEATABLE if given.get(name)]
    quiet = given["quiet"] or given["progress"] == "quiet"
    if not again.lookups or not given["tags"] or asked or "-" in {file, given["where"]} or not where.is_dir():
        return None
    own = Path(file) if file else where / "Dockerfile"
    ignored = (where / ".dockerignore", own.with_name(f"{own.name}.dockerignore"))
    try:
        roots = [str(path.absolute()) for path in (where, own, *ignored)]
        return again.Note(str(context.data / "images"), roots, again.lookups, quiet=quiet)
    except again.Unknowable:
        return None


def _leave(
    note: again.Note, store: Store, done: tuple[Plan, Cache], image: Image, names: tuple[Reference, ...]
) -> None:
    """Keep a note, if every name means what it meant for this build: somebody else may have moved one."""
    digests = (image.digest, image.manifest.config.digest, *(layer.digest for layer in image.layers))
    with store.tags.held():
        # A build that names its image as its base is called would have another base.
        wanted = [*done[0].bases, *((str(name), image.digest) for name in names)]
        entries = [store.entry(name) for name, digest in wanted if store.resolve(name).digest == digest]
        known = [entry.decode() for entry in entries if entry]
        if len(known) == len(wanted) and (steps := _steps(done[1])):
            note.keep(image.digest, [str(store.blobs.path(digest)) for digest in digests], known, steps)


def _steps(cache: Cache) -> tuple[list[str], str] | None:
    """Return the files of the steps' results, and what they hold; None if another build has changed one."""
    files = [str(cache.file(name)) for name in cache.used]
    digest = again.Seen(files, contents=True).digest
    return (files, digest) if cache.is_current() else None


def own_namespaces() -> None:
    """Become root of a user namespace, unless root it is: files get the owners that an image gives them."""
    if os.geteuid():
        from runtime import rootless  # noqa: PLC0415 - for ordinary users

        ids = rootless.plan()
        ids.require_ranges("a build")
        rootless.enter(ids)


def _request(given: Given) -> Request:
    from runtime.builder.plan import Request  # noqa: PLC0415 - as above

    platform = options.platform(given["platform"])
    return Request(
        platform, platform, given["target"], options.arguments(given["args"]),
        options.labels(given["labels"]), options.hosts(given["hosts"]), given["network"],
        options.stages(given["fresh"]),
    )  # fmt: skip


def _options(context: Context, given: Given) -> Options:
    from runtime.builder.executor import Options  # noqa: PLC0415 - as above

    return Options(
        _progress(context, "quiet" if given["quiet"] else given["progress"]),
        use_cache=not given["no_cache"],
        pull=given["pull"],
        epoch=options.epoch(options.arguments(given["args"])),
        secrets=dict(map(options.secret, given["secrets"])),
        agents=dict(map(options.agent, given["agents"])),
        cache_from=tuple(options.directory("--cache-from", "src", text) for text in given["sources"]),
        cache_to=tuple(options.directory("--cache-to", "dest", text) for text in given["targets"]),
    )


def _progress(context: Context, kind: str) -> Progress:
    from runtime.builder.progress import Plain, Progress  # noqa: PLC0415 - as above

    terminal = sys.stderr.isatty() and environment.shown("TERM", "dumb") != "dumb"
    if kind == "quiet":
        return Progress()
    if kind == "tty" and not terminal:
        hint = "use --progress plain"
        raise RuntimeFault("--progress tty: standard error is no terminal", kind="usage", hint=hint)
    if not terminal or kind == "plain":
        return Plain(context.say)
    from runtime.builder.live import Live  # noqa: PLC0415

    return Live(_write)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _keep(image: Image, names: tuple[Reference, ...], iidfile: Path | None, metadata: Path | None) -> None:
    if iidfile:
        iidfile.write_text(image.digest, encoding="ascii")
    if metadata:
        metadata.write_text(json.dumps(_metadata(image, names), indent=2) + "\n", encoding="utf-8")


def _metadata(image: Image, names: tuple[Reference, ...]) -> dict[str, object]:
    """Return what docker's buildx writes, under the same names."""
    found: dict[str, object] = {
        "containerimage.config.digest": image.manifest.config.digest,
        "containerimage.digest": image.digest,
    }
    return found | ({"image.name": ",".join(map(str, names))} if names else {})
