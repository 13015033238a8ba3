"""Which build leaves a note for the next one like it, and what the note has to find again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import again

if TYPE_CHECKING:
    from bench.cli.build_given import Given
    from bench.cli.context import Context
    from runtime.builder.cache import Cache
    from runtime.builder.plan import Plan
    from runtime.image.image import Image
    from runtime.image.reference import Reference
    from runtime.image.store import Store

_UNREPEATABLE = (
    "secrets", "agents", "sources", "targets", "pull", "no_cache", "fresh", "outputs", "iidfile", "metadata",
)  # fmt: skip


def note_for(context: Context, given: Given) -> again.Note | None:
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


def leave(
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
