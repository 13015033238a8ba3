"""`tare registry`: accounts, and what a registry holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench.cli.registry_login import login, logout
from bench.cli.registry_options import access_options, pick_access
from bench.cli.table import table
from runtime.errors import RuntimeFault
from runtime.image.reference import Reference

if TYPE_CHECKING:
    from bench.cli.context import Context
    from runtime.registry.retention import Held


@click.group()
def command() -> None:
    """Log in to registries, and look after what they hold."""


command.add_command(login)
command.add_command(logout)


@command.command("tags")
@access_options
@click.argument("repository")
def tags_(repository: str, **options: object) -> None:
    """List the tags of a repository, a line each."""
    from runtime.registry.connect import connected  # noqa: PLC0415 - urllib3, only where it is needed
    from runtime.registry.listing import tags  # noqa: PLC0415 - as above
    from runtime.registry.sources import origin  # noqa: PLC0415 - as above

    access = pick_access(options)
    endpoint = origin(_repository(repository), access)
    with connected(endpoint, access, (f"repository:{endpoint.path}:pull",)) as session:
        for tag in sorted(tags(session)):  # docker-registry 2 gives them in no order
            click.echo(tag)


@command.command("rm")
@click.option("-f", "--force", is_flag=True, help="Also other tags of the same image, where they go with it.")
@access_options
@click.argument("images", nargs=-1, required=True)
@click.pass_obj
def rm(context: Context, /, force: bool, images: tuple[str, ...], **options: object) -> None:
    """Remove tags, or images by their digests, from a registry; prints their digests."""
    from runtime.registry.removal import remove  # noqa: PLC0415 - as above

    access = pick_access(options)
    for image in images:
        reference = Reference.parse(image)
        if reference.digest is None and not image.endswith(f":{reference.tag}"):
            hint = f"name the tag too: {image}:{reference.tag}"
            raise RuntimeFault(
                f"{image} has no tag, and nothing is removed by guess", kind="usage", hint=hint
            )
        done = remove(reference, access=access, force=force)
        for tag in done.tags:
            context.say(f"{reference.tagged(tag)} removed")
        click.echo(done.digest)


@command.command("prune")
@click.option("--keep-last", type=click.IntRange(min=1), metavar="N", help="Keep the N newest images.")
@click.option("--older-than", metavar="AGE", help="Remove only what is older: 30d, 2w, 12h.")
@click.option("--match", default="*", metavar="GLOB", help="Look only at images whose tags all match.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@access_options
@click.argument("repository")
@click.pass_obj
def prune_(  # noqa: PLR0917 - a command has as many options
    context: Context,
    /,
    keep_last: int | None,
    older_than: str | None,
    match: str,
    dry_run: bool,
    repository: str,
    **options: object,
) -> None:
    """Remove old images from a repository: not the newest N, and older than AGE; prints what goes."""
    from runtime.registry.prune import prune  # noqa: PLC0415 - as above
    from runtime.registry.retention import Policy, age  # noqa: PLC0415 - as above

    if keep_last is None and older_than is None:
        raise click.UsageError("give --keep-last, --older-than or both")
    policy = Policy(keep_last or 0, age(older_than or "0s"), match)
    done = prune(_repository(repository), policy, access=pick_access(options), dry_run=dry_run)
    if done.images:
        click.echo(table(("CREATED", "DIGEST", "TAGS"), [_row(one) for one in done.images]))
    for one in done.undated:
        context.say(f"kept, since nobody knows its age: {' '.join(one.tags)}")
    verb = "would go" if dry_run else "removed"
    also = f", and {len(done.manifests)} manifests that only they named" if done.manifests else ""
    context.say(f"{len(done.images)} images {verb}{also}; {done.kept} stay")


def _row(image: Held) -> tuple[str, str, str]:
    created = f"{image.created:%Y-%m-%d %H:%M}" if image.created else ""
    return created, image.digest.short, " ".join(image.tags)


def _repository(text: str) -> Reference:
    reference = Reference.parse(text)
    if "@" in text or ":" in text.rpartition("/")[2]:
        hint = f"write {reference.name}, without a tag or a digest"
        raise RuntimeFault(f"{text} is an image, not a repository", kind="usage", hint=hint)
    return reference
