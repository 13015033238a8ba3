"""Where a container's cgroup is: linux.cgroupsPath, our default, and the subtree that a user was given.

Sources: config-linux.md, "Cgroups Path"; cgroup-v2.rst, "Delegation"; systemd's CGROUP_DELEGATION document.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

import os

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.mounts import Mounts

PARENT = "tare"  # of those with a relative path
# Before the id of those with none: a directory of their own, without one above that each start would make and
# remove in each tree.
PREFIX = "tare-"
ASIDE = "tare.aside"  # where the processes of a delegated cgroup move, so that it may hand down controllers
_MARKS = ("user.delegate", "trusted.delegate")  # extended attributes by which systemd says so
_LONGEST = 255
_SYSTEMD_PARTS = 3


class Location:
    """`relative` to the mount point on v1, to the directory `base` on v2; `lacking`: why there is none."""

    __slots__ = ("base", "lacking", "relative")

    def __init__(self, relative: str, base: str | None, lacking: str = "") -> None:
        self.relative, self.base, self.lacking = relative, base, lacking

    def shared(self, directory: str) -> bool:
        """Whether it is the parent of all containers that name a relative path."""
        return self.relative.startswith(f"{PARENT}/") and directory.endswith(f"/{PARENT}")


def locate(mounts: Mounts, path: str | None, name: str, *, rootless: bool) -> Location:
    """Return the place of the container `name`: absolute paths count from the mount point, others from ours.

    A root that systemd has delegated a cgroup to stays below it, unless a path says otherwise.
    """
    given = clean(path) if path else ""
    absolute = bool(path) and path is not None and path.startswith("/")
    if not absolute:
        given = f"{PARENT}/{given}" if given else clean(PREFIX + name)
    if not rootless:
        own = None if path else delegated(mounts, marked=True)
        return Location(given, own or mounts.unified)
    own = delegated(mounts, marked=False)
    if own is None:
        return Location(given, None, "without root, and no cgroup is delegated to this user")
    return Location(_below(mounts, own, given) if absolute else given, own)


def clean(path: str) -> str:
    """Path without empty and "." components; what leads elsewhere, or is systemd's, is refused by name."""
    if not path.startswith("/") and path.count(":") == _SYSTEMD_PARTS - 1:
        raise _refused(path, "is of systemd's form slice:prefix:name", "use a path such as /mine/name")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise _refused(path, "leads out of the cgroup tree", "leave .. out")
    if not parts:
        raise _refused(path, "is the root of the cgroup tree", "use a path such as /mine/name")
    if any(set(part) & set("\n\0") or len(os.fsencode(part)) > _LONGEST for part in parts):
        raise _refused(
            path, "has a component that can't be a directory's name", "use fewer and plainer letters"
        )
    return "/".join(parts)


def delegated(mounts: Mounts, *, marked: bool) -> str | None:
    """Return this process's own v2 cgroup, or its nearest ancestor, that is ours to divide; None if none is.

    `marked`: only one that systemd marks as delegated; else one whose files this user may write.
    """
    own = _own(mounts)
    while own and mounts.unified and own != mounts.unified:
        if os.path.basename(own) != ASIDE and (_is_marked(own) if marked else _is_writable(own)):  # noqa: PTH119
            return own
        if not marked and os.path.basename(own) != ASIDE:  # noqa: PTH119
            return None
        own = os.path.dirname(own)  # noqa: PTH120
    return None


def _own(mounts: Mounts) -> str | None:
    if mounts.unified is None:
        return None
    with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        path = next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
    return None if not path or path.startswith("/..") else (mounts.unified + path).rstrip("/")


def _below(mounts: Mounts, own: str, relative: str) -> str:
    # Only a common ancestor that this user may write lets processes pass (cgroup-v2.rst, "Delegation
    # Containment").
    if not f"{mounts.unified}/{relative}".startswith(f"{own}/"):
        raise _refused(
            f"/{relative}", f"is not below {own}, the cgroup delegated to this user", "leave it out"
        )
    return f"{mounts.unified}/{relative}"[len(own) + 1 :]


def _is_marked(directory: str) -> bool:
    for mark in _MARKS:
        try:
            if os.getxattr(directory, mark) == b"1":
                return True
        except OSError:
            continue
    return False


def _is_writable(directory: str) -> bool:
    files = ("", "/cgroup.procs", "/cgroup.subtree_control")
    return all(os.access(directory + file, os.W_OK) for file in files)


def _refused(path: str, reason: str, hint: str) -> RuntimeFault:
    return RuntimeFault(f"linux.cgroupsPath {path!r} {reason}", kind="usage", hint=hint)
