"""New images: from a container's changes, from a tree, or from a few files on top of another image."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Protocol

import msgspec

from runtime.errors import RuntimeFault
from runtime.image import merged
from runtime.image.digest import Digest
from runtime.image.image import Image
from runtime.image.layer.compression import Writable
from runtime.image.layer.entry import Directory, Entry, compose
from runtime.image.layer.pack import pack
from runtime.image.manifest import ConfigDocument, Descriptor, History, RootFS, RunConfig
from runtime.image.merged import Node
from runtime.image.platform import host_platform
from runtime.image.reference import Reference
from runtime.image.store import Store

_LINKS = 40  # the kernel's own limit on links in one path: path_resolution(7)


@dataclass(frozen=True, slots=True)
class Change:
    """What to change in a configuration; None keeps the base's, `env` and `labels` are merged by name."""

    env: Mapping[str, str] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str | None = None
    user: str | None = None
    labels: Mapping[str, str] | None = None

    def apply(self, base: RunConfig) -> RunConfig:
        """Return the changed configuration."""
        plain = {
            "entrypoint": self.entrypoint,
            "cmd": self.cmd,
            "user": self.user,
            "working_dir": self.working_dir,
        }
        given = {name: value for name, value in plain.items() if value is not None}
        env = dict(item.partition("=")[::2] for item in base.env) | dict(self.env or {})
        return msgspec.structs.replace(
            base,
            env=tuple(f"{name}={value}" for name, value in env.items()),
            labels={**base.labels, **(self.labels or {})},
            **given,
        )


class Configure(Protocol):
    """Anything that changes a configuration."""

    def apply(self, base: RunConfig) -> RunConfig:
        """Return the changed configuration."""


NO_CHANGE = Change()


def commit(
    store: Store,
    base: Image,
    upper: Path,
    ref: str | Reference | None,
    *,
    config: Configure = NO_CHANGE,
    comment: str = "",
    author: str = "",
    created_by: str = "tare commit",
) -> Image:
    """Make an image from `base` and an overlay's upper directory, whose container should not be running.

    An upper directory without any change adds history but no layer. Without `ref` the image has no name.
    """
    empty = next(upper.iterdir(), None) is None
    with store.writing():
        layer = None if empty else store.add_layer(lambda sink: pack(upper, sink))
        step = History(
            created=now(), created_by=created_by, author=author, comment=comment, empty_layer=empty
        )
        document = msgspec.structs.replace(base.document, author=author or base.document.author)
        return _extend(store, document, base.layers, ref, layer=layer, step=step, config=config)


def from_tree(
    store: Store,
    tree: Path,
    ref: str | Reference,
    *,
    config: Change = NO_CHANGE,
    created_by: str = "tare import",
) -> Image:
    """Make an image of one layer from a directory; devices 0:0 in it are devices, not whiteouts."""
    with store.writing():
        layer = store.add_layer(lambda sink: pack(tree, sink, whiteouts=False))
        return from_layer(store, layer, ref, config=config, created=now(), created_by=created_by)


def from_layer(
    store: Store,
    layer: tuple[Descriptor, Digest],
    ref: str | Reference,
    *,
    config: Change,
    created: datetime,
    created_by: str,
) -> Image:
    """Make an image for this host from one stored layer. Hold `store.writing()` around both."""
    platform = host_platform()
    empty = ConfigDocument(architecture=platform.architecture, os=platform.os, rootfs=RootFS())
    step = History(created=created, created_by=created_by)
    return _extend(store, empty, (), ref, layer=layer, step=step, config=config)


def derive(
    store: Store,
    base: Image,
    files: Mapping[str, Entry],
    ref: str | Reference,
    *,
    config: Change = NO_CHANGE,
    created_by: str = "tare derive",
) -> Image:
    """Put a small layer with `files` (path → content) on top of `base`.

    A path runs through the base's links (`/lib/x` goes to `/usr/lib/x` on a merged-usr image) and directories
    keep the base's owner and mode. All times are the base's, so equal input gives an equal image.
    """
    created = base.created or datetime.fromtimestamp(0, UTC)
    with store.writing():
        layers = store.layer_paths(base)
        placed = _placed(tuple(reversed(layers)), files)
        time = int(created.timestamp())

        def write(sink: Writable) -> None:
            compose(placed, sink, mtime=time)

        step = History(created=created, created_by=created_by)
        layer = store.add_layer(write)
        return _extend(store, base.document, base.layers, ref, layer=layer, step=step, config=config)


def now() -> datetime:
    """Return the time to record: `SOURCE_DATE_EPOCH` (seconds) where set, so that builds can be repeated."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else datetime.now(UTC)


def _extend(
    store: Store,
    base: ConfigDocument,
    layers: tuple[Descriptor, ...],
    ref: str | Reference | None,
    *,
    layer: tuple[Descriptor, Digest] | None,
    step: History,
    config: Configure,
) -> Image:
    blobs, diff_ids = ((layer[0],), (layer[1],)) if layer else ((), ())
    document = msgspec.structs.replace(
        base,
        created=step.created,
        config=config.apply(base.config),
        rootfs=RootFS(diff_ids=(*base.rootfs.diff_ids, *diff_ids)),
        history=(*base.history, step),
    )
    return store.add_image(document, (*layers, *blobs), ref)


def _placed(root: Node, files: Mapping[str, Entry]) -> dict[str, Entry]:
    placed: dict[str, Entry] = {}
    for path, entry in files.items():
        *above, name = PurePosixPath("/", path).parts[1:]
        parent = _resolve(root, tuple(above))
        for depth in range(1, len(parent) + 1):
            placed.setdefault("/".join(parent[:depth]), _like(root, parent[:depth]))
        placed["/".join((*parent, name))] = entry
    return placed


def _resolve(root: Node, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Follow the links of a merged tree; what does not exist stays as it is written."""
    done: list[str] = []
    todo, links = list(parts), 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            del done[-1:]
            continue
        node = _at(root, (*done, part))
        if not (node and node[0].is_symlink()):
            done.append(part)
            continue
        links += 1
        if links > _LINKS:
            raise RuntimeFault(
                f"too many links in /{'/'.join(parts)}",
                kind="usage",
                hint="give a path without a loop of links",
            )
        target = PurePosixPath(node[0].readlink())
        done = [] if target.is_absolute() else done
        todo = [step for step in target.parts if step != "/"] + todo
    return tuple(done)


def _at(root: Node, parts: tuple[str, ...]) -> Node:
    node = root
    for part in parts:
        if not merged.is_directory(node):
            return ()
        node = merged.child(node, part)
    return node


def _like(root: Node, parts: tuple[str, ...]) -> Directory:
    node = _at(root, parts)
    if not merged.is_directory(node):
        return Directory()
    status = node[0].stat()
    return replace(
        Directory(),
        mode=status.st_mode & 0o7777,
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=int(status.st_mtime),
    )
