"""Extract a layer's tar into a directory that overlayfs can stack."""

import errno
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.errors import RuntimeFault
from runtime.image.layer import content, members, whiteout
from runtime.image.layer.compression import Readable
from runtime.image.layer.members import Member
from runtime.image.layer.pending import Attributes, Pending
from runtime.image.layer.rooted import Parts, Rooted
from runtime.image.owners import kept
from runtime.image.seam import corrupt
from runtime.linux import userns

# A file system without labels or capabilities may refuse their attributes; docker ignores that as well.
_XATTR_REFUSED = {errno.ENOTSUP, errno.EPERM}
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


@contextmanager
def _mapped(attributes: Attributes) -> Iterator[None]:
    """Say which file has an owner whom this user namespace has no number for (chown(2), EINVAL)."""
    try:
        yield
    except OSError as err:
        if err.errno != errno.EINVAL:
            raise
        owner = f"{attributes.uid}:{attributes.gid}"
        raise RuntimeFault(
            f"a layer gives {attributes.name!r} to {owner}, which is not mapped here",
            kind="host",
            hint="give this user a larger range in /etc/subuid and /etc/subgid, or run it as root",
        ) from err


class _Extraction:
    """One layer on its way to disk."""

    def __init__(self, rooted: Rooted, *, owners: bool) -> None:
        self._rooted = rooted
        self._owners = owners
        self._privileged = userns.privileged()
        # Directories get mode and time last: writing into them changes the time, and the mode may forbid it.
        self._directories = Pending()

    def add(self, member: Member) -> None:
        info = member.info
        parts = _parts(info.name)
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
                self._own(descriptor, attributes)
                self._attributes(descriptor, attributes)
                os.fchmod(descriptor, attributes.mode)
                os.utime(descriptor, ns=(attributes.time, attributes.time))

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
            # chown clears set-user-id and file capabilities, so it comes before both.
            self._own(descriptor, attributes)
            os.fchmod(descriptor, attributes.mode)
            self._attributes(descriptor, attributes)
            os.utime(descriptor, ns=(attributes.time, attributes.time))
        finally:
            os.close(descriptor)

    def _hard_link(self, parts: Parts, info: tarfile.TarInfo) -> None:
        target = _parts(info.linkname)
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
        if self._owners:
            with _mapped(attributes):
                os.chown(name, attributes.uid, attributes.gid, dir_fd=parent, follow_symlinks=False)
        if not info.issym():
            # We just made it and nobody else can reach it, so it is no link that chmod could follow.
            os.chmod(name, attributes.mode, dir_fd=parent)
        os.utime(name, ns=(attributes.time, attributes.time), dir_fd=parent, follow_symlinks=False)

    def _own(self, descriptor: int, attributes: Attributes) -> None:
        if self._owners:
            with _mapped(attributes):
                os.fchown(descriptor, attributes.uid, attributes.gid)

    def _attributes(self, descriptor: int, attributes: Attributes) -> None:
        for name, value in attributes.xattrs.items():
            # A layer that sets overlayfs's own attributes could redirect a directory to any other.
            if whiteout.is_private(name):
                continue
            try:
                os.setxattr(descriptor, name, value)
            except OSError as err:
                if err.errno not in _XATTR_REFUSED or (err.errno == errno.EPERM and self._privileged):
                    raise


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
