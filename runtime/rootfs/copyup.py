"""Copy what an image has at a place into the tmpfs that will cover it ("tmpcopyup").

Descriptor by descriptor and without following a link: the tree belongs to the image, the copier to the host.
"""

from __future__ import annotations

import os
import stat

_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20


def tree(source: int, target: int) -> None:
    """Copy all entries of the directory `source` into `target`; sockets are left out, times are kept."""
    for name in os.listdir(source):
        found = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISSOCK(found.st_mode):
            continue
        _entry(name, found, source, target)
        os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=target)
        times = (found.st_atime_ns, found.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)


def _entry(name: str, found: os.stat_result, source: int, target: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        _directory(name, source, target)
    elif stat.S_ISREG(found.st_mode):
        _file(name, source, target)
    elif stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    else:
        os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target)


def _directory(name: str, source: int, target: int) -> None:
    os.mkdir(name, 0o700, dir_fd=target)
    flags = os.O_RDONLY | os.O_DIRECTORY | _FILE
    inner, made = os.open(name, flags, dir_fd=source), os.open(name, flags, dir_fd=target)
    try:
        tree(inner, made)
        _attributes(inner, made)
    finally:
        os.close(inner)
        os.close(made)


def _file(name: str, source: int, target: int) -> None:
    inner = os.open(name, os.O_RDONLY | _FILE, dir_fd=source)
    made = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=target)
    try:
        while os.sendfile(made, inner, None, _CHUNK):  # None: from where it stands
            pass
        _attributes(inner, made)
    finally:
        os.close(inner)
        os.close(made)


def _attributes(source: int, target: int) -> None:
    for name in os.listxattr(source):
        if name.startswith(("user.", "security.capability")):
            os.setxattr(target, name, os.getxattr(source, name))
