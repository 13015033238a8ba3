"""Layers made to break out, after moby's break-out tests (pkg/archive) and the faults of others since.

Each case is a list of members: name, type, and the content of a file or the target of a link. `{out}` stands
for the absolute path of a tree outside, which is `../victim` too as seen from where a layer is unpacked.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE, DIR, SYM, LNK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
OUT = "{out}"  # the absolute path of the sentinel tree
UP = "../" * 12


def archive(members, out: Path) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, target in members:
            member = tarfile.TarInfo(name.replace(OUT, str(out)))
            member.type, member.mode = kind, 0o777
            if kind in (SYM, LNK):
                member.linkname = target.replace(OUT, str(out))
            data = target.encode() if kind == FILE else b""
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    buffer.seek(0)
    return buffer


def fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([root, *root.rglob("*")]):
        status = path.lstat()
        digest.update(f"{path}{status.st_mode}{status.st_mtime_ns}{status.st_nlink}{status.st_uid}".encode())
        digest.update(repr([(n, os.getxattr(path, n)) for n in os.listxattr(path)]).encode())
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()


ESCAPED = f"tmp/tare-escaped-{os.getpid()}"

CASES = {
    "dot-dot": [("../victim/file", FILE, "x")],
    "deep dot-dot": [("a/../../victim/file", FILE, "x")],
    "many dot-dots": [(f"{UP}{ESCAPED}", FILE, "x")],
    "absolute": [(f"{OUT}/file", FILE, "x")],
    "dot-dot directory": [("../victim/new", DIR, "")],
    "dot-dot itself": [("..", DIR, "")],
    "link up, then through it": [("a", SYM, "../victim"), ("a/file", FILE, "x")],
    "absolute link, then through it": [("a", SYM, OUT), ("a/file", FILE, "x")],
    "absolute link, then a directory through it": [("a", SYM, OUT), ("a/new", DIR, "")],
    "link to the root, then through it": [("a", SYM, "/"), (f"a{OUT}/file", FILE, "x")],
    "chain of links": [("a", SYM, "b"), ("b", SYM, "c"), ("c", SYM, OUT), ("a/file", FILE, "x")],
    "chain with dot-dot": [
        ("d", DIR, ""),
        ("d/e", SYM, ".."),
        ("d/e/f", SYM, f"{UP}{OUT}"),
        ("f/file", FILE, "x"),
    ],
    "link as file, then write": [("file", SYM, f"{OUT}/file"), ("file", FILE, "x")],
    "link as directory, then mkdir": [("d", SYM, OUT), ("d", DIR, ""), ("d/file", FILE, "x")],
    "mkdir onto a link changes no mode": [("d", SYM, OUT), ("d", DIR, "")],
    "hard link out, absolute": [("h", LNK, f"{OUT}/file"), ("h", FILE, "x")],
    "hard link out, relative": [("h", LNK, "../victim/file"), ("h", FILE, "x")],
    "hard link through a link": [("a", SYM, OUT), ("h", LNK, "a/file"), ("h", FILE, "x")],
    "hard link to a link, then write": [("a", SYM, f"{OUT}/file"), ("h", LNK, "a"), ("h", FILE, "x")],
    "hard link onto a directory through a link": [("a", SYM, OUT), ("a/h", LNK, "a/file")],
    "whiteout out": [("../victim/.wh.file", FILE, "")],
    "whiteout through a link": [("a", SYM, OUT), ("a/.wh.file", FILE, "")],
    "whiteout of dot-dot": [(".wh...", FILE, "")],
    "whiteout of dot": [(".wh..", FILE, "")],
    "whiteout of nothing": [(".wh.", FILE, "")],
    "opaque out": [("../victim/.wh..wh..opq", FILE, "")],
    "opaque through a link": [("a", SYM, OUT), ("a/.wh..wh..opq", FILE, "")],
    "link replaced in the middle": [
        ("a", DIR, ""),
        ("a/b", DIR, ""),
        ("a/b", SYM, OUT),
        ("a/b/file", FILE, "x"),
    ],
    "directory replaced by a link, modes come last": [("a", DIR, ""), ("a", SYM, OUT)],
    "parent replaced by a link, modes come last": [("a", DIR, ""), ("a/b", DIR, ""), ("a", SYM, OUT)],
    "magic link": [("p", SYM, "/proc/self/cwd"), ("p/file", FILE, "x")],
    "fifo over a link": [("a", SYM, f"{OUT}/file"), ("a", tarfile.FIFOTYPE, "")],
    "slash and dot-dot": [("/../victim/new", FILE, "x")],
    "sibling with the root's name as its prefix": [("../root-sibling/new", FILE, "x")],
    "link to the sibling": [("a", SYM, "../root-sibling"), ("a/new", FILE, "x")],
    "hard link, slash and dot-dot": [("h", LNK, "/../victim/file")],
    "hard link to a directory outside, then into it": [("h", LNK, "../victim"), ("h/new", FILE, "x")],
    "hard link to a directory outside, then a link": [("h", LNK, "../victim"), ("l", SYM, "h/file")],
    "hard link through a hard link": [("h", LNK, "../victim"), ("i", LNK, "h/file"), ("i", FILE, "x")],
    "link, slash and dot-dot": [("a", SYM, "/../victim"), ("a/file", FILE, "x")],
    "link through a link": [("a", SYM, "../victim"), ("b", SYM, "a/file"), ("b", FILE, "x")],
    "link to a link outside": [("a", SYM, "../victim"), ("b", SYM, "a"), ("b/new", FILE, "x")],
    "hard link to a link, whose mode changes": [("a", SYM, f"{OUT}/file"), ("h", LNK, "a")],
    "device through a link": [("a", SYM, OUT), ("a/null", tarfile.CHRTYPE, "")],
    "directory through two links": [("a", SYM, OUT), ("b", SYM, "a"), ("b/d", DIR, ""), ("b/d/x", FILE, "x")],
    "whiteout of a link, then through it": [("a", SYM, OUT), (".wh.a", FILE, ""), ("a/file", FILE, "x")],
    "descriptor of the root": [("p", SYM, "/proc/self/fd/3"), ("p/../victim/file", FILE, "x")],
}
