"""What `tare image build` reads: a Dockerfile, and a directory or an archive as the context."""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from runtime.builder import archive, ignore
from runtime.builder.context import Context
from runtime.container.scratch import scratch
from runtime.errors import RuntimeFault
from runtime.rootfs import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMOTE = re.compile(r"(?:https?|git|ssh)://.*|git@[^:/]+:.*|github\.com/.*")


@dataclass(frozen=True, slots=True)
class Source:
    """A Dockerfile, what errors call it, and the context."""

    content: bytes
    name: str
    context: Context


@contextmanager
def source(where: str, file: str, data: Path) -> Iterator[Source]:
    """Read what docker build would: a directory, a tar, or `-`, which is a tar or a Dockerfile on stdin.

    `file` is what -f says: `-` for stdin, a path, or empty. Archives are unpacked below `data` for as long.
    """
    if _REMOTE.fullmatch(where):
        hint = "clone or fetch it first, and build the directory"
        raise RuntimeFault(f"a build context at a URL is not supported: {where}", kind="usage", hint=hint)
    if where == "-" and file == "-":
        raise RuntimeFault("the context and -f cannot both be stdin", kind="usage", hint="name one of them")
    if where != "-" and not Path(where).is_file():
        yield _directory(Path(where), file)
        return
    with scratch(data) as place:
        yield _streamed(where, file, place)


def _directory(place: Path, file: str) -> Source:
    path = Path(file) if file and file != "-" else place / "Dockerfile"
    if file == "-":
        content, name, own = sys.stdin.buffer.read(), "stdin", None
    else:
        content, name, own = _read(path), str(path), Path(file) if file else None
    return Source(content, name, Context.load(place, ignore.load(place, own)))


def _streamed(where: str, file: str, place: Path) -> Source:
    spool, tree = place / "stream", place / "context"
    tree.mkdir(0o755)
    with spool.open("wb") as copy, _opened(where) as stream:
        shutil.copyfileobj(stream, copy)
    with spool.open("rb") as stream:
        if archive.is_archive(stream):
            archive.extract(stream, tree, name="the context", owners=False)
        elif where != "-":
            hint = "give a directory, a tar, or - for stdin"
            raise RuntimeFault(f"the context {where} is no archive", kind="usage", hint=hint)
        else:
            return Source(_read(spool), "stdin", Context.load(tree, ignore.Ignore([])))
    name = file if file and file != "-" else "Dockerfile"
    content = sys.stdin.buffer.read() if file == "-" else _inside(tree, name)
    _refuse_links(tree, name)
    return Source(content, name, Context.load(tree, ignore.load(tree, tree / name)))


def _opened(where: str) -> BinaryIO:
    return os.fdopen(os.dup(0), "rb") if where == "-" else Path(where).open("rb")


def _inside(tree: Path, name: str) -> bytes:
    """Read a file of an unpacked context; its links lead nowhere else."""
    root = os.open(tree, os.O_PATH | os.O_DIRECTORY)
    try:
        place = resolve.find(root, name)
        try:
            return _read(Path(f"/proc/self/fd/{place}"))
        finally:
            os.close(place)
    except OSError as err:
        hint = "name it with -f, as it is called inside"
        raise RuntimeFault(f"there is no {name} in the context", kind="usage", hint=hint) from err
    finally:
        os.close(root)


def _refuse_links(tree: Path, name: str) -> None:
    for path in (tree / f"{name}.dockerignore", tree / ".dockerignore"):
        if not path.resolve().is_relative_to(tree.resolve()):
            raise RuntimeFault(f"{path.name} leads out of the context", kind="usage", hint="make it a file")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        reason = (err.strerror or str(err)).lower()
        raise RuntimeFault(f"cannot read {path}: {reason}", kind="usage", hint="name it with -f") from err
