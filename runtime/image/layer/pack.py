"""Turn a directory into a layer's tar: always the same bytes for the same tree."""

import itertools
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from runtime.errors import RuntimeFault
from runtime.image.layer import whiteout
from runtime.image.layer.compression import Writable
from runtime.image.layer.entry import TarWriter, set_mtime, set_xattr

_KINDS = {
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
_UNPACKABLE = ("overlay.redirect", "overlay.metacopy")


def pack(tree: Path, sink: Writable, *, whiteouts: bool = True) -> int:
    """Write `tree` as a plain tar, in sorted order, and return the number of members.

    With `whiteouts` overlayfs's marks become the layer's. Times, owners, modes, xattrs and hard links are
    kept; sockets are left out, since a tar has no word for them. Raises `OSError` for what can't be read.
    """
    writer, count = TarWriter(sink), 0
    for member, path in members(tree, whiteouts=whiteouts):
        _write(writer, member, path)
        count += 1
    writer.finish()
    return count


def members(tree: Path, *, whiteouts: bool = True) -> Iterator[tuple[tarfile.TarInfo, Path]]:
    """Yield the headers of a tree's tar in its order, each with the file that it is of."""
    links = dict[tuple[int, int], str]()
    for name in _walk(tree, ""):
        path = tree / name
        status = path.lstat()
        if whiteouts and whiteout.is_whiteout(status):
            head, tail = os.path.split(name)
            yield _mark(f"{head}/{whiteout.PREFIX}{tail}".lstrip("/")), path
        elif stat.S_IFMT(status.st_mode) in _KINDS:
            member = _member(path, name, status, links)
            yield member, path
            if whiteouts and member.isdir() and whiteout.is_opaque(path):
                yield _mark(f"{name}/{whiteout.OPAQUE}"), path


def pack_as(path: Path, name: str, sink: Writable) -> None:
    """Write a file, or a directory with all that is in it, under a name; with "" the content alone.

    Raises `OSError` for what can't be read.
    """
    writer, links = TarWriter(sink), dict[tuple[int, int], str]()
    inside = _walk(path, "") if path.is_dir() and not path.is_symlink() else ()
    for inner in itertools.chain([""] if name else [], inside):
        status = (path / inner).lstat() if inner else path.lstat()
        if stat.S_IFMT(status.st_mode) in _KINDS:
            here = path / inner if inner else path
            _write(writer, _member(here, f"{name}/{inner}".strip("/"), status, links), here)
    writer.finish()


def _walk(tree: Path, prefix: str) -> Iterator[str]:
    with os.scandir(tree / prefix) as entries:
        inside = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in inside:
        name = f"{prefix}{entry.name}"
        yield name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(tree, f"{name}/")


def _mark(name: str) -> tarfile.TarInfo:
    """Return a whiteout; it has no time, since when something was removed is nothing that an image keeps."""
    member = tarfile.TarInfo(name)
    member.mode = 0
    return member


def _member(
    path: Path, name: str, status: os.stat_result, links: dict[tuple[int, int], str]
) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.uid, member.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    member.type = _KINDS[stat.S_IFMT(status.st_mode)]
    set_mtime(member, status.st_mtime_ns)
    # Of a hard link too: docker gives it its owner again, by which the file's capabilities would be lost.
    _copy_xattrs(path, member)
    if not member.isdir() and status.st_nlink > 1:
        first = links.setdefault((status.st_dev, status.st_ino), name)
        if first != name:
            member.type, member.linkname = tarfile.LNKTYPE, first
            return member
    if member.issym():
        member.linkname = str(path.readlink())
    elif member.isreg():
        member.size = status.st_size
    elif member.isdev():
        member.devmajor, member.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return member


def _copy_xattrs(path: Path, member: tarfile.TarInfo) -> None:
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if name.endswith(_UNPACKABLE) and whiteout.is_private(name):
            raise RuntimeFault(
                f"{path} is only a pointer to a lower layer ({name}), so its content can't be packed",
                kind="failed",
                hint="mount the overlay with redirect_dir=off,metacopy=off",
            )
        if not whiteout.is_private(name):
            set_xattr(member, name, os.getxattr(path, name, follow_symlinks=False))


def _write(writer: TarWriter, member: tarfile.TarInfo, path: Path) -> None:
    if not (member.isreg() and member.size):
        writer.add(member)
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as content:
        writer.add(member, content)
