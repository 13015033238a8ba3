"""Extract a layer's tar into a directory that overlayfs can stack."""

import errno
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.errors import RuntimeFault
from runtime.image.layer import members, whiteout
from runtime.image.layer.compression import CHUNK, Readable
from runtime.image.layer.entry import mtime_ns, xattrs
from runtime.image.layer.rooted import Parts, Rooted
from runtime.image.owners import kept
from runtime.image.seam import corrupt
from runtime.linux import userns

# A file system without labels or capabilities may refuse their attributes; docker ignores that as well.
_XATTR_REFUSED = {errno.ENOTSUP, errno.EPERM}
# What only the tar's names can cause, in a directory that is ours alone.
_IMPOSSIBLE = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EEXIST}


def unpack(tar: Readable, root: Path, *, owners: bool | None = None) -> None:
    """Extract a plain tar stream into the empty directory `root`.

    Whiteouts become overlayfs's. Names are taken relative to `root`, whatever they look like; one that
    climbs out of it is a fault of kind `corrupt`, and so is a damaged tar. `owners` says whether to set uid
    and gid, by default when we are root and there is more than one user. Device files are left out without
    the host's root, who alone can make them. Raises `OSError` for what the host refuses.
    """
    with Rooted(root) as rooted:
        stream = members.Forward(tar)
        extraction = _Extraction(rooted, stream, owners=kept() if owners is None else owners)
        try:
            with members.opened(stream) as archive:
                for member in archive:
                    extraction.add(member, archive)
                    setattr(archive, "members", [])  # noqa: B010 - the stubs lack it; it keeps every header
        except (tarfile.TarError, UnicodeError) as err:
            raise corrupt(f"a layer's tar is damaged: {err}") from err
        except RecursionError as err:
            raise corrupt("a layer's directories are nested too deep") from err
        except OSError as err:
            if err.errno in _IMPOSSIBLE:
                raise corrupt(
                    f"a layer's names contradict each other at {err.filename!r}: {err.strerror}"
                ) from err
            raise
        extraction.finish()


@contextmanager
def _mapped(member: tarfile.TarInfo) -> Iterator[None]:
    """Say which file has an owner whom this user namespace has no number for (chown(2), EINVAL)."""
    try:
        yield
    except OSError as err:
        if err.errno != errno.EINVAL:
            raise
        raise RuntimeFault(
            f"a layer gives {member.name!r} to {member.uid}:{member.gid}, which is not mapped here",
            kind="host",
            hint="give this user a larger range in /etc/subuid and /etc/subgid, or run it as root",
        ) from err


class _Extraction:
    """One layer on its way to disk."""

    def __init__(self, rooted: Rooted, stream: members.Forward, *, owners: bool) -> None:
        self._rooted = rooted
        self._stream = stream
        self._owners = owners
        self._privileged = userns.privileged()
        # Directories get mode and time last: writing into them changes the time, and the mode may forbid it.
        self._directories: dict[Parts, tarfile.TarInfo] = {}

    def add(self, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        parts = _parts(member.name)
        if parts and parts[-1].startswith(whiteout.PREFIX):
            self._hide(parts)
        elif member.isdir():
            self._directory(parts, member)
        elif parts:
            make = self._maker(member)
            try:
                make(parts, member, archive)
            except FileExistsError:
                self._clear(parts)
                make(parts, member, archive)
        else:
            raise corrupt(f"a layer's root is not a directory but {member.name!r}")

    def finish(self) -> None:
        for parts, member in reversed(self._directories.items()):
            with self._rooted.directory(parts) as descriptor:
                self._own(descriptor, member)
                self._attributes(descriptor, member)
                os.fchmod(descriptor, stat.S_IMODE(member.mode))
                os.utime(descriptor, ns=_times(member))

    def _maker(self, member: tarfile.TarInfo) -> Callable[[Parts, tarfile.TarInfo, tarfile.TarFile], None]:
        # A sparse file is a regular one for us; its holes are kept.
        if member.isreg():
            return self._file
        if member.islnk():
            return self._hard_link
        if member.issym() or member.isdev():
            return self._node
        raise corrupt(f"a layer holds {member.name!r} of the unknown type {member.type!r}")

    def _hide(self, parts: Parts) -> None:
        name = parts[-1].removeprefix(whiteout.PREFIX)
        if parts[-1] == whiteout.OPAQUE:
            whiteout.make_opaque(self._rooted.parent(parts))
        elif not parts[-1].startswith(whiteout.RESERVED):
            if name in {"", ".", ".."}:
                raise corrupt(f"a layer holds the meaningless whiteout {'/'.join(parts)!r}")
            self._hide_name((*parts[:-1], name))

    def _hide_name(self, parts: Parts) -> None:
        # A whiteout speaks about lower layers only, whatever its place in the tar: what this layer itself
        # put there stays, and a directory stays without the lower one's content.
        parent = self._rooted.parent(parts)
        try:
            whiteout.make(parent, parts[-1])
        except FileExistsError:
            if stat.S_ISDIR(os.stat(parts[-1], dir_fd=parent, follow_symlinks=False).st_mode):
                with self._rooted.directory(parts) as descriptor:
                    whiteout.make_opaque(descriptor)

    def _directory(self, parts: Parts, member: tarfile.TarInfo) -> None:
        if parts:
            self._make_directory(parts)
        self._directories.pop(parts, None)
        self._directories[parts] = member

    def _make_directory(self, parts: Parts) -> None:
        parent, name = self._rooted.parent(parts), parts[-1]
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                return
            self._clear(parts)
            os.mkdir(name, 0o700, dir_fd=self._rooted.parent(parts))
            if whiteout.is_whiteout(status):
                with self._rooted.directory(parts) as descriptor:
                    whiteout.make_opaque(descriptor)

    def _clear(self, parts: Parts) -> None:
        with suppress(FileNotFoundError):
            self._rooted.remove(parts)
            for gone in [path for path in self._directories if path[: len(parts)] == parts]:
                del self._directories[gone]

    def _file(self, parts: Parts, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(parts[-1], flags, 0o600, dir_fd=self._rooted.parent(parts))
        try:
            self._fill(descriptor, member, archive)
            # chown clears set-user-id and file capabilities, so it comes before both.
            self._own(descriptor, member)
            os.fchmod(descriptor, stat.S_IMODE(member.mode))
            self._attributes(descriptor, member)
            os.utime(descriptor, ns=_times(member))
        finally:
            os.close(descriptor)

    def _fill(self, descriptor: int, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        if member.issparse():
            _fill_sparse(descriptor, member, archive)
            return
        if member.size < 0:
            raise corrupt(f"a layer's {member.name!r} has a negative size")
        self._stream.seek(member.offset_data)
        left = member.size
        for piece in self._stream.pieces(member.size):
            _write(descriptor, piece)
            left -= len(piece)
        if left:
            raise tarfile.ReadError("unexpected end of data")

    def _hard_link(self, parts: Parts, member: tarfile.TarInfo, _archive: tarfile.TarFile) -> None:
        target = _parts(member.linkname)
        if not target:
            raise corrupt(f"a layer links {member.name!r} to its root")
        source = os.dup(self._rooted.parent(target))
        try:
            os.link(
                target[-1],
                parts[-1],
                src_dir_fd=source,
                dst_dir_fd=self._rooted.parent(parts),
                follow_symlinks=False,
            )
        except FileNotFoundError as err:
            raise corrupt(f"a layer links {member.name!r} to {member.linkname!r}, which it lacks") from err
        finally:
            os.close(source)

    def _node(self, parts: Parts, member: tarfile.TarInfo, _archive: tarfile.TarFile) -> None:
        parent, name = self._rooted.parent(parts), parts[-1]
        if member.issym():
            os.symlink(member.linkname, name, dir_fd=parent)
        elif not self._privileged and not member.isfifo():
            return
        else:
            kind = {tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK}.get(
                member.type, stat.S_IFIFO
            )
            os.mknod(name, kind | 0o600, os.makedev(member.devmajor, member.devminor), dir_fd=parent)
        if self._owners:
            with _mapped(member):
                os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
        if not member.issym():
            # We just made it and nobody else can reach it, so it is no link that chmod could follow.
            os.chmod(name, stat.S_IMODE(member.mode), dir_fd=parent)
        os.utime(name, ns=_times(member), dir_fd=parent, follow_symlinks=False)

    def _own(self, descriptor: int, member: tarfile.TarInfo) -> None:
        if self._owners:
            with _mapped(member):
                os.fchown(descriptor, member.uid, member.gid)

    def _attributes(self, descriptor: int, member: tarfile.TarInfo) -> None:
        for name, value in xattrs(member).items():
            # A layer that sets overlayfs's own attributes could redirect a directory to any other.
            if whiteout.is_private(name):
                continue
            try:
                os.setxattr(descriptor, name, value)
            except OSError as err:
                if err.errno not in _XATTR_REFUSED or (err.errno == errno.EPERM and self._privileged):
                    raise


def _fill_sparse(descriptor: int, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    content = archive.extractfile(member)
    if content is None:
        raise corrupt(f"a layer's {member.name!r} has no content")
    segments: list[tuple[int, int]] = getattr(member, "sparse", [])
    position = 0
    for offset, size in segments:
        # A stream can't seek, so tarfile's zeros for a hole are read and dropped.
        for _hole in _chunks(content, offset - position):
            pass
        os.lseek(descriptor, offset, os.SEEK_SET)
        for chunk in _chunks(content, size):
            _write(descriptor, memoryview(chunk))
        position = offset + size
    os.ftruncate(descriptor, member.size)


def _write(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


def _chunks(content: Readable, size: int) -> Iterator[bytes]:
    while size > 0:
        chunk = content.read(min(CHUNK, size))
        if not chunk:
            raise tarfile.ReadError("unexpected end of data")
        size -= len(chunk)
        yield chunk


def _times(member: tarfile.TarInfo) -> tuple[int, int]:
    time = mtime_ns(member)
    return time, time


def _parts(name: str) -> Parts:
    """Clean a member's name lexically, as docker does: absolute is relative, `..` may not climb out."""
    plain = tuple(name.split("/"))
    if "" not in plain and "." not in plain and ".." not in plain and "\0" not in name:
        return plain  # almost all are like this
    parts: list[str] = []
    for part in plain:
        if part == "..":
            if not parts:
                raise _escape(name)
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    if any("\0" in part for part in parts):
        raise corrupt(f"a layer holds a name with a null byte: {name!r}")
    return tuple(parts)


def _escape(name: str) -> RuntimeFault:
    return corrupt(f"a layer names {name!r}, which is outside its root: it is damaged or hostile")
