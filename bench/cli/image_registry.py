"""`tare image pull` and `push`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bench.cli.registry_options import access_options, pick_access
from bench.cli.transfer import Transfer
from runtime.errors import RuntimeFault
from runtime.image.manifest import Platform
from runtime.image.reference import Reference

if TYPE_CHECKING:
    from bench.cli.context import Context


@click.command("pull")
@click.option("--platform", metavar="OS/ARCH[/VARIANT]", help="Take this image of an index, not this host's.")
@click.option("--all-platforms", is_flag=True, help="Take every image of an index.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option(
    "--mirror", "mirrors", multiple=True, metavar="[http://]HOST[:PORT][/PATH]", help="Ask this one first."
)
@access_options
@click.argument("image")
@click.pass_obj
def pull_(
    context: Context, /, platform: str | None, all_platforms: bool, quiet: bool, image: str, **options: object
) -> None:
    """Fetch an image from a registry; prints its digest."""
    from runtime.registry import pull  # noqa: PLC0415 - urllib3 and TLS, which no other command needs

    if platform and all_platforms:
        raise click.UsageError("--platform and --all-platforms contradict each other")
    wanted = _platform(platform) if platform else None
    reference = Reference.parse(image)
    with Transfer(quiet=quiet) as watch:
        found = pull(
            context.store(),
            reference,
            access=pick_access(options),
            platform=wanted,
            every=all_platforms,
            unpack=os.geteuid() == 0,  # of ordinary users, only a container's namespace has all owners
            watch=watch,
        )
    click.echo(found.digest)


@click.command("push")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@access_options
@click.argument("image")
@click.argument("destination", required=False)
@click.pass_obj
def push_(context: Context, /, quiet: bool, image: str, destination: str | None, **options: object) -> None:
    """Send an image to a registry, under its own name or as DESTINATION; prints its digest."""
    from runtime.registry import push  # noqa: PLC0415 - as above

    target = Reference.parse(destination or image)
    with Transfer(quiet=quiet) as watch:
        found = push(context.store(), image, target, access=pick_access(options), watch=watch)
    click.echo(found.digest)


def _platform(text: str) -> Platform:
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        hint = "write OS/ARCHITECTURE, for example linux/arm64, or linux/arm/v7"
        raise RuntimeFault(f"not a platform: {text!r}", kind="usage", hint=hint)
    return Platform(os=parts[0], architecture=parts[1], variant=parts[2] if len(parts) > 2 else None)  # noqa: PLR2004
