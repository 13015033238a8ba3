"""Extract a layer's tar into a directory that overlayfs can stack."""

import errno
import os
import stat
import tarfile
from contextlib import suppress
from pathlib import Path

from runtime.image.layer import content, members, whiteout
from runtime.image.layer.compression import Readable
from runtime.image.layer.marks import Attributes, Marks
from runtime.image.layer.members import Member
from runtime.image.layer.names import parts_of
from runtime.image.layer.pending import Pending
from runtime.image.layer.rooted import Parts, Rooted
from runtime.image.owners import kept
from runtime.image.seam import corrupt
from runtime.linux import userns

_GONE = (FileNotFoundError, NotADirectoryError)  # something else is in its place by now
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
        extraction = _Extraction(rooted, owners=kept() if owners is None else owners)
        try:
            members.read(tar, extraction.add, what="a layer")
        except OSError as err:
            if err.errno in _IMPOSSIBLE:
                raise corrupt(
                    f"a layer's names contradict each other at {err.filename!r}: {err.strerror}"
                ) from err
            raise
        try:
            extraction.finish()
        except OverflowError as err:
            raise corrupt(f"a layer's directory has a time or an owner that no file can have: {err}") from err


class _Extraction:
    """One layer on its way to disk."""

    def __init__(self, rooted: Rooted, *, owners: bool) -> None:
        self._rooted = rooted
        self._privileged = userns.privileged()
        self._marks = Marks(owners=owners, privileged=self._privileged)
        # Directories get mode and time last: writing into them changes the time, and the mode may forbid it.
        self._directories = Pending()

    def add(self, member: Member) -> None:
        info = member.info
        parts = parts_of(info.name)
        if parts and parts[-1].startswith(whiteout.PREFIX):
            self._hide(parts)
        elif info.isdir():
            self._directory(parts, info)
        elif parts:
            try:
                self._make(parts, member)
            except FileExistsError:  # seldom: no call before each is needed to find out
                self._clear(parts)
                self._make(parts, member)
        else:
            raise corrupt(f"a layer's root is not a directory but {info.name!r}")

    def finish(self) -> None:
        # Equal layers are equal trees: a directory of which the tar says nothing has no time of its own.
        for parts in self._rooted.implied:
            with suppress(*_GONE), self._rooted.directory(parts) as descriptor:
                os.utime(descriptor, ns=(0, 0))
        for parts, attributes in self._directories.deepest_first():
            with self._rooted.directory(parts) as descriptor:
                self._marks.put(descriptor, attributes)

    def _make(self, parts: Parts, member: Member) -> None:
        info = member.info
        if info.isreg():  # a sparse file too
            self._file(parts, member)
        elif info.islnk():
            self._hard_link(parts, info)
        elif info.issym() or info.isdev():
            self._node(parts, info)
        else:
            raise corrupt(f"a layer holds {info.name!r} of the unknown type {info.type!r}")

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

    def _directory(self, parts: Parts, info: tarfile.TarInfo) -> None:
        if parts:
            self._make_directory(parts)
        self._directories.put(parts, Attributes.of(info))

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
            self._directories.drop(parts)

    def _file(self, parts: Parts, member: Member) -> None:
        attributes = Attributes.of(member.info)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(parts[-1], flags, 0o600, dir_fd=self._rooted.parent(parts))
        try:
            content.write(descriptor, member)
            self._marks.put(descriptor, attributes)
        finally:
            os.close(descriptor)

    def _hard_link(self, parts: Parts, info: tarfile.TarInfo) -> None:
        target = parts_of(info.linkname)
        if not target:
            raise corrupt(f"a layer links {info.name!r} to its root")
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
            raise corrupt(f"a layer links {info.name!r} to {info.linkname!r}, which it lacks") from err
        finally:
            os.close(source)

    def _node(self, parts: Parts, info: tarfile.TarInfo) -> None:
        parent, name, attributes = self._rooted.parent(parts), parts[-1], Attributes.of(info)
        if info.issym():
            os.symlink(info.linkname, name, dir_fd=parent)
        elif not self._privileged and not info.isfifo():
            self._clear(parts)  # nothing else under its name either
            return
        else:
            kind = {tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK}.get(info.type, stat.S_IFIFO)
            os.mknod(name, kind | 0o600, os.makedev(info.devmajor, info.devminor), dir_fd=parent)
        self._marks.own_name(name, parent, attributes)
        if not info.issym():
            # We just made it and nobody else can reach it, so it is no link that chmod could follow.
            os.chmod(name, attributes.mode, dir_fd=parent)
        os.utime(name, ns=(attributes.time, attributes.time), dir_fd=parent, follow_symlinks=False)
