"""`tare image build`: an image from a Dockerfile; the options are docker's."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from bench.cli import build_note
from bench.cli import build_options as options
from bench.cli import build_output as output
from bench.cli.build_given import with_options
from runtime import environment
from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    from bench.cli.build_given import Given
    from bench.cli.context import Context
    from runtime.builder.cache import Cache
    from runtime.builder.executor import Options
    from runtime.builder.plan import Plan, Request
    from runtime.builder.progress import Progress
    from runtime.image.image import Image
    from runtime.image.reference import Reference


@click.command("build", cls=options.Command)
@click.argument("where", metavar="DIRECTORY|TAR|-")
@with_options
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

    note = build_note.note_for(context, given)
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
        build_note.leave(note, places.store, done[0], image, names)
    click.echo(image.digest, err=any(each.on_stdout for each in outputs))


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
