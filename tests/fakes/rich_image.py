"""An image with one of everything that a layer can hold, and a description of any tree to compare it with."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from runtime.image import commit
from runtime.image.layer import content, whiteout
from runtime.image.layer.entry import mtime_ns, xattrs
from runtime.image.layer.pack import members

if TYPE_CHECKING:
    import tarfile
    from pathlib import Path

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw+ep, with null bytes
TIME = 1_600_000_000_123_456_789  # ns since 1970
SPARSE = 24 << 20


def lower(place: Path) -> Path:
    """Files of every type, owner, mode and attribute below `rich`."""
    rich = place / "rich"
    for name in ("hidden/deep", "opaque/below", "replaced", "sticky", "kept"):
        (rich / name).mkdir(parents=True)
    for name in (
        "hidden/deep/file",
        "opaque/below/file",
        "opaque/file",
        "replaced/file",
        "gone",
        "kept/file",
    ):
        (rich / name).write_text(name)
    (rich / "tool").write_text("tool")
    os.chown(rich / "tool", 1234, 70000)
    (rich / "tool").chmod(0o6755)
    os.setxattr(rich / "tool", "security.capability", CAPABILITY)
    os.setxattr(rich / "tool", "user.note", b"\xff\x00binary")
    os.link(rich / "tool", rich / "kept/same")
    (rich / "link").symlink_to("/rich/tool")
    os.chown(rich / "link", 5, 6, follow_symlinks=False)
    (rich / "dangling").symlink_to("../../../../nowhere")
    (rich / "sticky").chmod(0o1777)
    os.setxattr(rich / "sticky", "user.directory", b"yes")
    os.mknod(rich / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(rich / "disk", stat.S_IFBLK | 0o660, os.makedev(7, 200))
    os.mkfifo(rich / "fifo", 0o640)
    (rich / ("long" * 30)).write_text("a long name")
    (rich / "größe 日本\t").write_text("no ASCII")
    with (rich / "sparse").open("wb") as file:
        for offset in (0, 9 << 20):
            file.seek(offset)
            file.write(b"data")
        file.truncate(SPARSE)
    return _aged(place)


def upper(place: Path) -> Path:
    """An overlay's upper directory: a file gone, a directory gone, one emptied and filled, one now a file."""
    rich = place / "rich"
    (rich / "opaque").mkdir(parents=True)
    (rich / "opaque/new").write_text("new")
    for name, make in (("gone", whiteout.make), ("hidden", whiteout.make)):
        _in(rich, lambda fd, name=name, make=make: make(fd, name))
    _in(rich / "opaque", whiteout.make_opaque)
    (rich / "replaced").write_text("a file now")
    (rich / "kept").mkdir()
    (rich / "kept/more").write_text("more")
    os.link(rich / "kept/more", rich / "kept/again")
    return _aged(place)


def make(store, base, scratch: Path, name: str = "rich"):
    """Commit both onto `base`."""
    (scratch / "lower").mkdir()
    (scratch / "upper").mkdir()
    below = commit(store, base, lower(scratch / "lower"), f"{name}-below")
    return commit(store, below, upper(scratch / "upper"), name)


def describe(tree: Path, within: str = "", *, without: tuple[str, ...] = ()) -> dict[str, tuple[object, ...]]:
    """Return everything about each file below `tree`/`within`, but the attributes whose names begin so."""
    found: dict[str, tuple[object, ...]] = {}
    for member, path in members(tree, whiteouts=False):
        if member.name.startswith(within):
            found[member.name] = _one(member, path, without)
    return found


def _one(member: tarfile.TarInfo, path: Path, without: tuple[str, ...]) -> tuple[object, ...]:
    kept = {name: value for name, value in xattrs(member).items() if not name.startswith(without or ("\0",))}
    if member.islnk():
        return ("hard link", member.linkname)
    device = (member.devmajor, member.devminor)
    body = _hash(path, member.size) if member.isreg() else member.linkname
    return (member.type, oct(member.mode), member.uid, member.gid, mtime_ns(member), kept, device, body)


def _hash(path: Path, size: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for offset, data in content.nonzero(file.fileno(), size):
            digest.update(b"%d:" % offset + data)
    return digest.hexdigest()


def _in(directory: Path, act) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        act(descriptor)
    finally:
        os.close(descriptor)


def _aged(place: Path) -> Path:
    """Give every file a time of its own, the deepest first."""
    for number, path in enumerate(sorted(place.rglob("*"), reverse=True)):
        time = TIME + number * 1_000_000_001
        os.utime(path, ns=(time, time), follow_symlinks=False)
    return place
