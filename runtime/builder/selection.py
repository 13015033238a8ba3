"""Which entries of a context a COPY or ADD takes, and what they are called where they arrive.

A directory's contents are taken, not itself; wildcards are filepath.Match's and don't cross a slash; a
source that is a link is followed within the context; `--parents` keeps the directories of a source from its
`/./` on, and knows `**`; `--exclude` are .dockerignore's patterns.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass

from runtime.builder import wildcards
from runtime.builder.ignore import Ignore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.builder.context import Context, Entry


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry and its name below the destination; an empty name stands for the destination itself.

    `named` tells a file that is a source itself from one of a directory.
    """

    entry: Entry
    name: str
    named: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """What one instruction takes.

    `into_directory` says that the destination has to be a directory; if it doesn't, and only one file is
    taken, whether the file goes into the destination or becomes it depends on what stands there.
    """

    taken: tuple[Taken, ...]
    into_directory: bool

    def digest(self, context: Context) -> str:
        """Return the hexadecimal SHA-256 of all names and entries."""
        whole = hashlib.sha256()
        for each in self.taken:
            whole.update(os.fsencode(f"{each.name}\0{context.digest(each.entry)}\0"))
        return whole.hexdigest()


def select(
    context: Context, sources: tuple[str, ...], destination: str, *, excludes: tuple[str, ...] = (),
    parents: bool = False, documents: int = 0,
) -> Selection:  # fmt: skip
    """Find what the sources name; a value error says what is not there or does not fit the destination.

    `documents` is the number of here-documents that go to the same destination.
    """
    ignore = Ignore(list(excludes))
    roots = [(source, *root) for source in sources for root in _roots(context, source, parents=parents)]
    if len(roots) + documents > 1 and not destination.endswith("/"):
        raise ValueError(f"with more than one source the destination has to end with /: {destination}")
    taken: dict[str, Taken] = {}
    directory = destination.endswith("/") or destination in {".", ".."}
    for source, path, root in roots:
        directory |= parents or root.kind == "directory"
        name = _kept(source, path) if parents else path.rpartition("/")[2]
        if parents:
            taken |= {each.name: each for each in _above(context, path, name) if each.name not in taken}
        for each in _below(context, root, name, itself=parents):
            if not excludes or not ignore.ignores(_within(root, each.entry) or root.path):
                taken[each.name] = each
    return Selection(tuple(taken.values()), directory)


def _roots(context: Context, source: str, *, parents: bool) -> Iterator[tuple[str, Entry]]:
    """Yield the paths that one source names, and what they lead to; a wildcard may match nothing."""
    path = _clean(source)
    if not wildcards.is_pattern(path):
        entry = context.find(path)
        if entry is None:
            raise ValueError(f"{source} {context.missing}")
        yield path, entry
        return
    expression = _kept_pattern(source) if parents else wildcards.path_pattern(path)
    for entry in context.entries.values():
        if expression.fullmatch(entry.path):
            yield entry.path, context.find(entry.path) or entry


def _kept_pattern(source: str) -> re.Pattern[str]:
    """Compile a source of --parents, where `**` behind the `/./` stands for any number of directories."""
    before, pivot, after = source.partition("/./")
    if not pivot:
        return wildcards.ignore_pattern(_clean(source))
    above, below = wildcards.path_pattern(_clean(before)), wildcards.ignore_pattern(_clean(after))
    return re.compile(f"{above.pattern}/{below.pattern}" if above.pattern != "(?s:)" else below.pattern)


def _clean(source: str) -> str:
    """Resolve `.` and `..` by name; nothing leads above the context."""
    parts: list[str] = []
    for name in source.split("/"):
        if name == "..":
            parts = parts[:-1]
        elif name not in {"", "."}:
            parts.append(name)
    return "/".join(parts)


def _kept(source: str, path: str) -> str:
    """Return the part of a source's path that --parents keeps: what follows `/./`, or all."""
    before, pivot, _ = source.partition("/./")
    depth = len(_clean(before).split("/")) if pivot and _clean(before) else 0
    return "/".join(path.split("/")[depth:])


def _above(context: Context, path: str, name: str) -> Iterator[Taken]:
    """Yield the directories that --parents keeps above a source, which keep their modes too."""
    before = path[: len(path) - len(name)]
    parts = name.split("/")
    for depth in range(1, len(parts)):
        kept = "/".join(parts[:depth])
        entry = context.entries.get(before + kept)
        if entry is not None and entry.kind == "directory":
            yield Taken(entry, kept)


def _within(root: Entry, entry: Entry) -> str:
    return entry.path[len(root.path) :].lstrip("/")


def _below(context: Context, root: Entry, name: str, *, itself: bool) -> Iterator[Taken]:
    """Yield a file as `name`, or what a directory holds, below `name` if the directory comes `itself`."""
    if root.kind != "directory":
        yield Taken(root, name, named=True)
        return
    base = name if itself else ""
    if base:
        yield Taken(root, base)
    for entry in context.below(root.path):
        yield Taken(entry, f"{base}/{_within(root, entry)}".lstrip("/"))
