"""The build context: a directory as a tree of entries whose digests tell whether a COPY has changed.

A digest covers what a COPY would bring: names, kinds, permissions, link targets, contents. It leaves out
times and owners (BuildKit's rule): a fresh clone of the same commit is the same context.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from typing import ClassVar

from runtime.errors import RuntimeFault
from runtime.rootfs import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.builder.ignore import Ignore, Verdict

_LINKS = 40  # as the kernel's MAXSYMLINKS


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, directory or symbolic link; `path` is relative to the context and empty for its root."""

    path: str
    kind: str
    mode: int
    target: str = ""


@dataclass(slots=True)
class Context:
    """What a build may see of a directory, read once; contents are digested when first asked for."""

    root: Path
    entries: dict[str, Entry]
    _digests: dict[str, str] = field(default_factory=dict)
    missing: ClassVar[str] = "is not in the build context, or ignored by .dockerignore"

    @classmethod
    def load(cls, root: Path, ignore: Ignore) -> Context:
        """Walk a directory without what is ignored; sockets are left out, as they can't be copied."""
        if not root.is_dir():
            raise RuntimeFault(f"the build context {root} is not a directory", kind="usage")
        try:
            entries = {"": Entry("", "directory", 0o755)}
            entries |= {entry.path: entry for entry in _walk(str(root), "", ignore, None)}
        except OSError as err:
            raise RuntimeFault.from_os(err, f"read the build context {err.filename}") from err
        return cls(root, _with_parents(entries))

    def find(self, path: str) -> Entry | None:
        """Look a path up, through links, as if the context were the root of the file system.

        None if it is not there, ignored, or a link leads nowhere; never anything outside.
        """
        parts, left = list[str](), _LINKS
        names = _names(path)
        while names:
            name = names.pop()
            if name == "..":
                parts = parts[:-1]
                continue
            entry = self.entries.get("/".join([*parts, name]))
            if entry is None or (names and entry.kind == "file"):
                return None
            if entry.kind == "link":
                if not left:
                    return None
                left, parts = left - 1, [] if entry.target.startswith("/") else parts
                names += _names(entry.target)
            else:
                parts.append(name)
        return self.entries["/".join(parts)]

    def below(self, path: str) -> Iterator[Entry]:
        """Yield all entries under a directory, each after the one that holds it."""
        prefix = f"{path}/" if path else ""
        yield from (entry for entry in self.entries.values() if entry.path and entry.path.startswith(prefix))

    def digest(self, entry: Entry) -> str:
        """Return the hexadecimal SHA-256 of an entry alone: kind, permissions, link target or content."""
        if entry.path not in self._digests:
            content = self._content(entry) if entry.kind == "file" else entry.target
            line = "\0".join((entry.kind, oct(entry.mode), content))
            self._digests[entry.path] = hashlib.sha256(os.fsencode(line)).hexdigest()
        return self._digests[entry.path]

    def _content(self, entry: Entry) -> str:
        with os.fdopen(self.open(entry), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def open(self, entry: Entry) -> int:
        """Return a descriptor for reading; whatever was swapped meanwhile, it is a file of the context."""
        root = os.open(self.root, os.O_PATH | os.O_DIRECTORY)
        try:
            place = resolve.find(root, entry.path, follow=False)
            try:
                if not stat.S_ISREG(os.fstat(place).st_mode):
                    raise RuntimeFault(f"{self.root / entry.path} changed while it was read")
                return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
            finally:
                os.close(place)
        except OSError as err:
            raise RuntimeFault.from_os(err, f"read {self.root / entry.path}") from err
        finally:
            os.close(root)


def _names(path: str) -> list[str]:
    """Return a path's components, the last first."""
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]


def _walk(root: str, directory: str, ignore: Ignore, above: Verdict | None) -> Iterator[Entry]:
    with os.scandir(os.path.join(root, directory)) as found:  # noqa: PTH118 - scandir's names are texts
        members = sorted(found, key=lambda member: member.name)
    for member in members:
        path = f"{directory}/{member.name}" if directory else member.name
        verdict = ignore.judge(path, above)
        entry = _entry(path, member)
        if entry is not None and not verdict.ignored:
            yield entry
        is_directory = member.is_dir(follow_symlinks=False)
        if is_directory and not (verdict.ignored and ignore.prunes(path)):
            yield from _walk(root, path, ignore, verdict)


def _entry(path: str, member: os.DirEntry[str]) -> Entry | None:
    mode = member.stat(follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return Entry(path, "link", 0o777, os.readlink(member.path))  # noqa: PTH115 - texts
    if stat.S_ISDIR(mode):
        return Entry(path, "directory", stat.S_IMODE(mode))
    if stat.S_ISREG(mode):
        return Entry(path, "file", stat.S_IMODE(mode))
    if stat.S_ISSOCK(mode):
        return None
    hint = "name it in .dockerignore"
    raise RuntimeFault(
        f"{member.path} is a device or a pipe, which no build can copy", kind="usage", hint=hint
    )


def _with_parents(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Add the ignored directories that hold something that came back, in the order of a walk."""
    for path in list(entries):
        while path := path.rpartition("/")[0]:
            entries.setdefault(path, Entry(path, "directory", 0o755))
    return dict(sorted(entries.items(), key=lambda item: item[0].split("/")))
