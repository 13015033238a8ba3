"""`tare image build`: an image from a Dockerfile; the options are docker's."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from bench.cli.context import Context


@click.command("build")
@click.argument("directory", metavar="DIRECTORY", type=click.Path(path_type=Path))
@click.option("-f", "--file", "file", type=click.Path(path_type=Path), help="The Dockerfile, if elsewhere.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="NAME[:TAG]", help="Name the image; repeatable.")
@click.option("--build-arg", "args", multiple=True, metavar="NAME[=VALUE]", help="Set an ARG's value.")
@click.option("--target", default="", help="Stage to build; the last one if not given.")
@click.option(
    "--secret", "secrets", multiple=True, metavar="id=ID[,src=FILE|,env=NAME]", help="For RUN --mount."
)
@click.option("--no-cache", is_flag=True, help="Make every step anew.")
@click.option("--iidfile", type=click.Path(path_type=Path), help="Write the image's digest to a file.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but the digest.")
@click.pass_obj
def build(
    context: Context, /, *, directory: Path, file: Path | None, tags: tuple[str, ...], args: tuple[str, ...],
    target: str, no_cache: bool, secrets: tuple[str, ...], iidfile: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Build an image from the Dockerfile in DIRECTORY, and print its digest.

    Base images are those of the store (`tare image ls`); nothing is pulled. A RUN has this machine's network
    unless it says --network=none. SOURCE_DATE_EPOCH makes equal input give an equal image.
    """
    from runtime.builder import executor, ignore, stages  # noqa: PLC0415 - no other verb needs them
    from runtime.builder.context import Context as BuildContext  # noqa: PLC0415
    from runtime.builder.dockerfile import parse  # noqa: PLC0415
    from runtime.builder.plan import Request  # noqa: PLC0415
    from runtime.image.platform import host_platform  # noqa: PLC0415
    from runtime.image.reference import Reference  # noqa: PLC0415

    if not tags:
        raise RuntimeFault("the image needs a name", kind="usage", hint="give one with -t NAME")
    names = tuple(Reference.parse(tag) for tag in tags)
    path = file or directory / "Dockerfile"
    recipe = stages.read(parse(_content(path), str(path)))
    host = host_platform()
    platform = f"{host.os}/{host.architecture}"
    request = Request(platform, platform, target, _arguments(args))
    found = BuildContext.load(directory, ignore.load(directory, file))
    with ExitStack() as stack:
        output = stack.enter_context(Path(os.devnull).open("wb")).fileno() if quiet else 2
        options = executor.Options(
            output,
            (lambda _line: None) if quiet else context.say,
            use_cache=not no_cache,
            epoch=_epoch(),
            secrets=dict(map(_secret, secrets)),
        )
        places = executor.Places(context.store(), context.run, context.data)
        image = executor.build(places, recipe, request, found, names, options=options)
    if iidfile:
        iidfile.write_text(image.digest, encoding="ascii")
    click.echo(image.digest)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        reason = (err.strerror or str(err)).lower()
        raise RuntimeFault(f"cannot read {path}: {reason}", kind="usage", hint="see -f and --secret") from err


def _arguments(texts: tuple[str, ...]) -> dict[str, str]:
    """Read NAME=VALUE; a bare NAME takes the value that it has in our environment, if it has one."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if equals:
            found[name] = value
        elif name in os.environ:
            found[name] = os.environ[name]
    return found


def _secret(text: str) -> tuple[str, bytes]:
    """Read a secret's id and value: from a file, or from a variable, by default the one of that name."""
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    name = fields.pop("id", "")
    file = fields.pop("src", None) or fields.pop("source", None)
    variable = fields.pop("env", None) or name
    fields.pop("type", None)
    if not name or fields:
        raise RuntimeFault(f"--secret {text}: write id=ID,src=FILE or id=ID,env=NAME", kind="usage")
    if file:
        return name, _content(Path(file))
    if variable not in os.environ:
        raise RuntimeFault(f"--secret {name}: there is no variable {variable}", kind="usage")
    return name, os.environb[os.fsencode(variable)]


def _epoch() -> int | None:
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if text and not (text.isascii() and text.isdecimal()):
        raise RuntimeFault(f"SOURCE_DATE_EPOCH={text} is no number of seconds", kind="usage")
    return int(text) if text else None
