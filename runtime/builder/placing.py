"""What an instruction that copies puts into its layer: tar members, planned on the root below.

Paths run through the links of the root below, never out of it; a directory that is there already keeps its
owner and mode.
"""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from runtime.builder import fetching, modes
from runtime.builder.owners import owner, owner_if_known
from runtime.builder.tree import RootContext
from runtime.image.layer import whiteout
from runtime.image.layer.entry import TarWriter, set_mtime, set_xattr

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.builder.context import Context, Entry
    from runtime.builder.fetching import Fetched
    from runtime.builder.graph import Directory, Fetch, Placing, Write
    from runtime.builder.selection import Selection
    from runtime.builder.tree import Parts, Tree
    from runtime.image.layer.compression import Writable

_KINDS = {"file": tarfile.REGTYPE, "directory": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}


@dataclass(frozen=True, slots=True)
class Item:
    """A member of the layer; a file's content is an entry of a context, a file of the host's, or bytes."""

    member: tarfile.TarInfo
    entry: Entry | None = None
    data: bytes = b""
    context: Context | None = None
    file: Path | None = None

    def open(self) -> BinaryIO:
        """Open a file's content."""
        if self.entry is not None and self.context is not None:
            return os.fdopen(self.context.open(self.entry), "rb")
        return self.file.open("rb") if self.file else io.BytesIO(self.data)


class Layout:
    """The members of one layer, collected; a value error says what does not fit the root below."""

    def __init__(self, tree: Tree, *, epoch: int) -> None:
        self._tree, self._epoch = tree, epoch
        self.items: dict[Parts, Item] = {}

    def directory(self, operation: Directory) -> None:
        """Make a working directory and those above it; BuildKit asks no more of its user than this."""
        self._make(self._tree.resolve(operation.path), owner_if_known(self._tree, operation.owner or "0:0"))

    def write(self, operation: Write) -> None:
        """Put a here-document's text into a file."""
        target = self._target(operation, operation.name)
        data = operation.text.encode(errors="surrogateescape")
        member = tarfile.TarInfo()
        member.size, member.mode = len(data), modes.changed(operation.mode, 0o644)
        member.uid, member.gid = owner(self._tree, operation.owner or "0:0")
        member.mtime = self._epoch
        self._add(target, Item(member, data=data), (0, 0))

    def copy(self, operation: Placing, selection: Selection, context: Context, *, over: bool = False) -> None:
        """Put a selection where the operation says; `over` changes the directories that are there, too."""
        owned = owner(self._tree, operation.owner) if operation.owner else None
        single = len(selection.taken) == 1 and not selection.into_directory
        if selection.into_directory:
            self._make(self._tree.resolve(operation.destination), owned or (0, 0))
        for taken in selection.taken:
            item = self._item(taken.entry, context, operation, owned)
            if single:
                target = self._target(operation, taken.name)
            else:
                target = self._below(operation.destination, taken.name)
            self._add(target, item, owned or (0, 0), over=over)

    def fetched(self, operation: Fetch, found: Fetched) -> None:
        """Put a fetched file where the operation says, mode 0600 as BuildKit does."""
        resolved = self._tree.resolve(operation.destination)
        into = operation.into_directory or self._tree.is_directory(resolved)
        target = self._target(operation, fetching.name(operation.url) if into else "")
        member = tarfile.TarInfo()
        member.mode = modes.changed(operation.mode, 0o600)
        member.uid, member.gid = owner(self._tree, operation.owner or "0:0")
        member.mtime = min(found.modified, self._epoch)
        member.size = found.path.stat().st_size
        self._add(target, Item(member, file=found.path), (0, 0))

    def pack(self, sink: Writable) -> None:
        """Write the layer, in sorted order."""
        writer = TarWriter(sink)
        links: dict[tuple[int, int], str] = {}
        for parts, item in sorted(self.items.items()):
            item.member.name = "/".join(parts)
            _link(item, links)
            if not item.member.isreg():
                writer.add(item.member)
            else:
                with item.open() as content:
                    writer.add(item.member, content)
        writer.finish()

    def _target(self, operation: Placing, called: str) -> Parts:
        """Return where one file goes: into the destination, or it becomes the destination."""
        resolved = self._tree.resolve(operation.destination)
        if operation.into_directory or self._tree.is_directory(resolved):
            return self._below(operation.destination, called)
        above, _, last = operation.destination.rstrip("/").rpartition("/")
        return (*self._tree.resolve(above), last)

    def _below(self, destination: str, called: str) -> Parts:
        above, _, last = f"{destination}/{called}".rpartition("/")
        return (*self._tree.resolve(above), last)

    def _add(self, parts: Parts, item: Item, owned: tuple[int, int], *, over: bool = False) -> None:
        if item.member.isdir():
            resolved = self._tree.resolve("/".join(parts))
            self._make(resolved, owned, item.member)
            if over:
                self.items[resolved] = item
            return
        if self._tree.status(parts) and self._tree.is_directory(parts):
            raise ValueError(f"/{'/'.join(parts)} is a directory, which a file can't replace")
        self._make(parts[:-1], owned)
        self.items[parts] = item

    def _make(self, parts: Parts, owned: tuple[int, int], last: tarfile.TarInfo | None = None) -> None:
        """Add the directories down to `parts` that are not there; `last` tells what the last one is like."""
        for depth in range(1, len(parts) + 1):
            here = parts[:depth]
            if here in self.items and not self.items[here].member.isdir():
                raise ValueError(f"/{'/'.join(here)} is a file, so nothing can be put below it")
            status = self._tree.status(here)
            if status and not self._tree.is_directory(here):
                raise ValueError(f"/{'/'.join(here)} is not a directory in the image")
            if here not in self.items:
                given = last if depth == len(parts) and not status else None
                self.items[here] = Item(given or self._directory(status, owned))

    def _directory(self, status: os.stat_result | None, owned: tuple[int, int]) -> tarfile.TarInfo:
        member = tarfile.TarInfo()
        member.type, member.mode, (member.uid, member.gid) = tarfile.DIRTYPE, 0o755, owned
        member.mtime = self._epoch
        if status:
            member.mode, member.uid, member.gid = status.st_mode & 0o7777, status.st_uid, status.st_gid
        return member

    def _item(
        self, entry: Entry, context: Context, operation: Placing, owned: tuple[int, int] | None
    ) -> Item:
        status = _place(context, entry)
        member = tarfile.TarInfo()
        member.type, member.linkname = _KINDS[entry.kind], entry.target
        directory = entry.kind == "directory"
        member.mode = entry.mode
        if entry.kind != "link":
            member.mode = modes.changed(operation.mode, entry.mode, directory=directory)
        set_mtime(member, min(status.st_mtime_ns, self._epoch * 10**9))
        if owned:
            member.uid, member.gid = owned
        elif isinstance(context, RootContext):
            member.uid, member.gid = status.st_uid, status.st_gid
        if isinstance(context, RootContext):
            _copy_attributes(context.place(entry), member)
        member.size = status.st_size if entry.kind == "file" else 0
        return Item(member, entry, context=context)


def _link(item: Item, links: dict[tuple[int, int], str]) -> None:
    """Make a further name of a file that is written already a hard link, as it is where it comes from."""
    if not isinstance(item.context, RootContext) or item.entry is None or not item.member.isreg():
        return
    status = item.context.place(item.entry).lstat()
    if status.st_nlink > 1:
        first = links.setdefault((status.st_dev, status.st_ino), item.member.name)
        if first != item.member.name:
            item.member.type, item.member.linkname, item.member.size = tarfile.LNKTYPE, first, 0


def _copy_attributes(place: Path, member: tarfile.TarInfo) -> None:
    for name in sorted(os.listxattr(place, follow_symlinks=False)):
        if not whiteout.is_private(name):
            set_xattr(member, name, os.getxattr(place, name, follow_symlinks=False))


def _place(context: Context, entry: Entry) -> os.stat_result:
    if isinstance(context, RootContext):
        return context.place(entry).lstat()
    return (context.root / entry.path).lstat()
