"""Delete a directory that a container has written into: of any depth, with any names, following nothing."""

from __future__ import annotations

import errno
import os

_DEEPEST = 64  # directories that are open at once; what lies deeper is brought up first
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> None:
    """Delete a directory and all below it, never following a symlink; nothing happens when it is gone.

    shutil.rmtree does the same, except for what is deeper than the interpreter's stack, and at the price of
    importing the compression modules into the process that forks.
    """
    try:
        if _removed(path):
            return
        root = os.open(path, _OPEN)
    except FileNotFoundError:
        return
    try:
        _clear(root, root, 0)
        while not _removed(path):
            _clear(root, root, 0)
    finally:
        os.close(root)


def _removed(name: str, directory: int | None = None) -> bool:
    try:
        os.rmdir(name, dir_fd=directory)
    except FileNotFoundError:
        return True
    except OSError as err:
        if err.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return False
    return True


def _clear(directory: int, root: int, depth: int) -> None:
    with os.scandir(directory) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in names:
        if not is_directory:
            _unlink(name, directory)
        elif not _removed(name, directory):
            _descend(name, directory, root, depth)


def _unlink(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return


def _descend(name: str, directory: int, root: int, depth: int) -> None:
    if depth == _DEEPEST:
        _bring_up(name, directory, root)
        return
    try:
        below = os.open(name, _OPEN, dir_fd=directory)
    except FileNotFoundError:
        return
    try:
        _clear(below, root, depth + 1)
    finally:
        os.close(below)
    _removed(name, directory)  # not while it is emptied by two: then it is the next turn's


def _bring_up(name: str, directory: int, root: int) -> None:
    for number in range(1 << 20):
        try:
            os.rename(name, f".deep-{number}", src_dir_fd=directory, dst_dir_fd=root)
        except FileNotFoundError:
            return
        except OSError as err:
            if err.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise
        else:
            return
