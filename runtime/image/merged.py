"""Several layer directories seen as one, by the rules of overlayfs but without a mount."""

import os
import stat
from pathlib import Path

from runtime.image.layer import whiteout

Node = tuple[Path, ...]
"""What one name stands for: directories to merge, top first, or a single file; empty if there is nothing."""


def children(node: Node) -> dict[str, Node]:
    """Return the visible names in a merged directory, sorted, with what they stand for."""
    names: set[str] = set()
    for directory in node:
        names.update(os.listdir(directory))  # noqa: PTH208 - names only, no Path for each
    found = {name: child(node, name) for name in sorted(names)}
    return {name: entry for name, entry in found.items() if entry}


def child(node: Node, name: str) -> Node:
    """Return what `name` stands for in a merged directory."""
    merged: list[Path] = []
    for directory in node:
        path = directory / name
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(status.st_mode):
            # A file or whiteout ends the search: what is below is hidden, or hidden by a directory above.
            hidden = merged or whiteout.is_whiteout(status)
            return tuple(merged) if hidden else (path,)
        merged.append(path)
        if whiteout.is_opaque(path):
            break
    return tuple(merged)


def is_directory(node: Node) -> bool:
    """Say whether a node is a directory and not a link to one."""
    return bool(node) and stat.S_ISDIR(node[0].lstat().st_mode)
