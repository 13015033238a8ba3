"""Directories of a layer that still wait for their owner, mode and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.image.layer.marks import Attributes
    from runtime.image.layer.rooted import Parts


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
