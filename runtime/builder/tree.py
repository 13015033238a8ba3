"""A node's root as a tree to look things up in: several unpacked layers as overlayfs would show them."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from runtime.builder.context import Context, Entry
from runtime.image import merged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.image.merged import Node

Parts = tuple[str, ...]
_LINKS = 40  # as the kernel's MAXSYMLINKS
_LARGEST = 4 << 20  # bytes of a passwd or group file, as `runtime.engine.account` has it


class Tree:
    """The merged view of layers, bottom first."""

    def __init__(self, layers: tuple[Path, ...]) -> None:
        self._root: Node = tuple(reversed(layers))

    def status(self, parts: Parts) -> os.stat_result | None:
        """Return what stands at a resolved path, None if nothing does."""
        node = self._node(parts)
        return node[0].lstat() if node else None

    def is_directory(self, parts: Parts) -> bool:
        """Say whether a resolved path is a directory; the root always is."""
        return not parts or merged.is_directory(self._node(parts))

    def resolve(self, path: str) -> Parts:
        """Follow every link, as a process in that root would; what does not exist stays as it is written."""
        done: list[str] = []
        todo, links = _names(path), 0
        while todo:
            name = todo.pop()
            node = () if name == ".." else self._node((*done, name))
            if name == "..":
                del done[-1:]
            elif node and node[0].is_symlink():
                links += 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                target = str(node[0].readlink())
                done = [] if target.startswith("/") else done
                todo += _names(target)
            else:
                done.append(name)
        return tuple(done)

    def lines(self, path: str) -> list[str]:
        """Return a small file's lines, none without such a file. A value error for one that is not small."""
        node = self._node(self.resolve(path))
        if not node or not stat.S_ISREG(node[0].lstat().st_mode):
            return []
        if node[0].stat().st_size > _LARGEST:
            raise ValueError(f"{path} of the image is larger than {_LARGEST >> 20} MiB")
        return node[0].read_text(encoding="utf-8", errors="surrogateescape").splitlines()

    def entries(self) -> Iterator[tuple[Entry, Path]]:
        """Yield all that a COPY could take, each directory before what it holds, with its place on disk."""
        if self._root:
            yield Entry("", "directory", 0o755), self._root[0]
        yield from _walk(self._root, "")

    def _node(self, parts: Parts) -> Node:
        node = self._root
        for name in parts:
            if not merged.is_directory(node):
                return ()
            node = merged.child(node, name)
        return node


class RootContext(Context):
    """A node's root in the shape of a build context, for COPY --from."""

    __slots__ = ("_places",)
    missing = "is not in the stage or image that --from names"

    def __init__(self, layers: tuple[Path, ...]) -> None:
        found = list(Tree(layers).entries()) if layers else []
        places = {entry.path: place for entry, place in found}
        entries = {entry.path: entry for entry, _ in found} or {"": Entry("", "directory", 0o755)}
        super().__init__(places.get("", _nowhere()), entries)
        self._places = places

    def place(self, entry: Entry) -> Path:
        """Return where an entry lies on disk."""
        return self._places[entry.path]

    def open(self, entry: Entry) -> int:
        """Return a descriptor for reading a file."""
        return os.open(self._places[entry.path], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _nowhere() -> Path:
    from pathlib import Path  # noqa: PLC0415 - only for an empty root

    return Path("/nonexistent")


def _walk(node: Node, prefix: str) -> Iterator[tuple[Entry, Path]]:
    for name, child in merged.children(node).items():
        path, place = f"{prefix}{name}", child[0]
        mode = place.lstat().st_mode
        if stat.S_ISDIR(mode):
            yield Entry(path, "directory", stat.S_IMODE(mode)), place
            yield from _walk(child, f"{path}/")
        elif stat.S_ISLNK(mode):
            yield Entry(path, "link", 0o777, str(place.readlink())), place
        elif stat.S_ISREG(mode):
            yield Entry(path, "file", stat.S_IMODE(mode)), place


def _names(path: str) -> list[str]:
    """Return the components, the last first."""
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]
