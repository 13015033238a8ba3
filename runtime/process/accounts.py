"""The user of a container: "name", "uid", "name:group", "uid:gid", looked up in the container's own /etc."""

from __future__ import annotations

import errno
import os
import stat

LARGEST = 4 << 20  # bytes of a passwd or group file, which is read into memory that is not the container's
_SMALL, _MOST = 64 << 10, 16  # characters of both files that are remembered, and accounts
_NUMBER = 2  # field of an entry, of a user as of a group


class UnknownAccount(Exception):  # noqa: N818
    """The image has no such user or group."""


class TooLarge(OSError):  # noqa: N818
    """A file of the image that is LARGEST bytes or more."""


class Account:
    """Numbers of a user: uid, gid, supplementary groups; and the home directory.

    A gid that is not root's is among the groups too, as docker has it: else a program with another group's
    set-gid bit sheds it, and with it what files deny to that group (CVE-2022-36109).
    """

    __slots__ = ("gid", "groups", "home", "uid")

    def __init__(self, uid: int, gid: int, groups: list[int], home: str) -> None:
        self.uid, self.gid, self.home = uid, gid, home
        self.groups = sorted({gid, *groups}) if gid else groups


class Accounts:
    """Remembers whom it looked up, and what the files said: as long as they say the same, so does it."""

    __slots__ = ("_etc", "_known")

    def __init__(self, etc: str = "/etc") -> None:
        self._etc = etc
        self._known: dict[str, tuple[tuple[str, str], Account]] = {}

    def resolve(self, text: str) -> Account:
        """Return what the function of this name does."""
        files = _files(self._etc)
        known = self._known.get(text)
        if known and known[0] == files:
            return known[1]
        found = _account(text, *files)
        if len(self._known) >= _MOST:
            self._known.clear()
        if sum(map(len, files)) <= _SMALL:
            self._known[text] = files, found
        return found


def resolve(text: str, etc: str = "/etc") -> Account:
    """Account for `text`; the empty string is root. Numbers need no entry, names do (UnknownAccount)."""
    return _account(text, *_files(etc))


def _files(etc: str) -> tuple[str, str]:
    return _text(f"{etc}/passwd"), _text(f"{etc}/group")


def _account(text: str, passwd: str, groups: str) -> Account:
    user, _, group = (text or "0").partition(":")
    entry = _find(passwd, user, fields=7)
    if entry:
        uid, gid, home = int(entry[2]), int(entry[3]), entry[5] or "/"
    elif user.isdigit():
        uid, gid, home = int(user), 0, "/"
    else:
        raise UnknownAccount(f"user {user}")
    if group:
        return Account(uid, _gid(group, groups), [], home)
    return Account(uid, gid, _memberships(entry[0] if entry else "", groups), home)


def home(uid: int, etc: str = "/etc") -> str:
    """Home directory of a number; "/" where no entry tells it, or none can be read."""
    try:
        entry = next((e for e in _entries(_text(f"{etc}/passwd"), 7) if e[2] == str(uid)), None)
    except OSError:
        return "/"
    return (entry[5] or "/") if entry else "/"


def _gid(group: str, groups: str) -> int:
    entry = _find(groups, group, fields=4)
    if entry:
        return int(entry[2])
    if group.isdigit():
        return int(group)
    raise UnknownAccount(f"group {group}")


def _memberships(user: str, groups: str) -> list[int]:
    return [int(e[2]) for e in _entries(groups, 4) if user and user in e[3].split(",")]


def _find(text: str, key: str, *, fields: int) -> list[str] | None:
    return next((e for e in _entries(text, fields) if key in {e[0], e[_NUMBER]}), None)


def _entries(text: str, fields: int) -> list[list[str]]:
    rows = [line.split(":") for line in text.split("\n")]
    return [row for row in rows if len(row) >= fields and row[_NUMBER].isdigit()]


def _text(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):  # the image's author could let a FIFO wait for ever
            return ""
        if found.st_size > LARGEST:
            raise TooLarge(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return b"".join(iter(lambda: os.read(fd, LARGEST), b"")).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)
