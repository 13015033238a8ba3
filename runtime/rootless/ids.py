"""Which ids this user may map into a user namespace (user_namespaces(7), subuid(5), newuidmap(1)).

The map is podman's: root inside is the user, and 1, 2, … are the subordinate ids of /etc/subuid and
/etc/subgid in the order of the lines. It takes both files and both programs; with less, the user's own id is
all there is.
"""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import RuntimeFault

_FIELDS = 3  # of a line: name or number, first, count
_HINT = "with one id only, files of other users in an image become yours, and no program can change its user"


@dataclass(frozen=True, slots=True)
class Range:
    """`size` ids: from `inside` on in the namespace, from `outside` on in the parent's."""

    inside: int
    outside: int
    size: int

    def oci(self) -> dict[str, int]:
        """Return an entry of linux.uidMappings."""
        return {"containerID": self.inside, "hostID": self.outside, "size": self.size}


@dataclass(frozen=True, slots=True)
class Ids:
    """What to map. `lacking` says why it is the user's own id only; empty where there are ranges."""

    uids: tuple[Range, ...]
    gids: tuple[Range, ...]
    lacking: str = ""

    @property
    def single(self) -> bool:
        """Whether the user's own id is all there is."""
        return bool(self.lacking)

    def require_ranges(self, what: str) -> None:
        """Raise a host fault that names `what`, such as "--user 33", where there is but one id."""
        if self.lacking:
            raise RuntimeFault(
                f"{what} needs more ids than your own: {self.lacking}", kind="host", hint=_HINT
            )

    def config(self) -> dict[str, list[dict[str, int]]]:
        """Return uidMappings and gidMappings for the `linux` part of a config.json."""
        return {
            "uidMappings": [entry.oci() for entry in self.uids],
            "gidMappings": [entry.oci() for entry in self.gids],
        }


def plan(*, etc: Path = Path("/etc")) -> Ids:
    """Return how this process's user can map ids; the kernel and the helpers have the last word."""
    uid, gid = os.geteuid(), os.getegid()
    own = (Range(0, uid, 1),), (Range(0, gid, 1),)
    lacking = _programs()
    if lacking:
        return Ids(*own, lacking)
    name = _name(uid)
    # Both files are by user, also the one of groups.
    uids, gids = (subordinate(etc / file, name, uid) for file in ("subuid", "subgid"))
    if not uids or not gids:
        file = "subgid" if uids else "subuid"
        return Ids(*own, f"{etc / file} gives none to {name or uid} (usermod --add-subuids, --add-subgids)")
    return Ids(_after(own[0], uids), _after(own[1], gids))


def subordinate(file: Path, name: str, uid: int) -> tuple[tuple[int, int], ...]:
    """Return the (first, count) of a user's lines; lines that are damaged count for nothing (subuid(5))."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, PermissionError):
        return ()
    found = []
    for line in lines:
        words = line.strip().split(":")
        if len(words) == _FIELDS and words[0] in {name, str(uid)} and all(map(str.isdecimal, words[1:])):
            found.append((int(words[1]), int(words[2])))
    return tuple((first, count) for first, count in found if count)


def _programs() -> str:
    missing = [name for name in ("newuidmap", "newgidmap") if shutil.which(name) is None]
    return f"{' and '.join(missing)} missing: install the package uidmap" if missing else ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # no account: the files may still name the number
        return ""


def _after(own: tuple[Range, ...], given: tuple[tuple[int, int], ...]) -> tuple[Range, ...]:
    found, inside = list(own), 1
    for first, count in given:
        found.append(Range(inside, first, count))
        inside += count
    return tuple(found)
