"""Directories of a layer that still wait for their owner, mode and time."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.image.layer.entry import mtime_ns, xattrs

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator, Mapping

    from runtime.image.layer.rooted import Parts

_NONE: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a header says of a file besides its content; `time` in nanoseconds since 1970."""

    name: str
    mode: int
    uid: int
    gid: int
    time: int
    xattrs: Mapping[str, bytes]

    @classmethod
    def of(cls, info: tarfile.TarInfo) -> Attributes:
        """Take them from a header, which is several times as large: a layer may have 100,000 directories."""
        found = xattrs(info) or _NONE
        return cls(info.name, stat.S_IMODE(info.mode), info.uid, info.gid, mtime_ns(info), found)


class Pending:
    """A tree of names. Forgetting a directory with all below it takes no longer however many there are."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = _Node()

    def put(self, parts: Parts, attributes: Attributes) -> None:
        """Note a directory; what was noted of it before is forgotten."""
        node = self._root
        for name in parts:
            if node.inside is None:
                node.inside = {}
            node = node.inside.setdefault(name, _Node())
        node.attributes = attributes

    def drop(self, parts: Parts) -> None:
        """Forget a directory and all below it."""
        node: _Node | None = self._root
        for name in parts[:-1]:
            node = node.inside.get(name) if node and node.inside else None
        if node and node.inside:
            node.inside.pop(parts[-1], None)

    def deepest_first(self) -> Iterator[tuple[Parts, Attributes]]:
        """Yield all, each after those below it, since a directory's mode may bar the way to them."""
        waiting: list[tuple[Parts, _Node, bool]] = [((), self._root, False)]
        while waiting:
            parts, node, ready = waiting.pop()
            if not ready and node.inside:
                waiting.append((parts, node, True))
                waiting += [((*parts, name), below, False) for name, below in node.inside.items()]
            elif node.attributes:
                yield parts, node.attributes


class _Node:
    __slots__ = ("attributes", "inside")

    def __init__(self) -> None:
        self.attributes: Attributes | None = None
        self.inside: dict[str, _Node] | None = None
