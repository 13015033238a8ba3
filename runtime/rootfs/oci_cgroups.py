"""Which cgroups a container is to see: its own, of every tree that the host has mounted.

Sources: cgroups(7), /proc/PID/cgroup; proc_pid_mountinfo(5).
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH119, PTH123

from __future__ import annotations

import os

from runtime.linux import mounts
from runtime.rootfs.oci_mounts import CgroupView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def view(joined: Iterable[str], mountinfo: str | None = None, own: str | None = None) -> CgroupView:
    """Return the view of a process that was born in this one's cgroups and then moved to those of `joined`.

    `joined` are directories; `mountinfo` and `own` are the texts of /proc/self/mountinfo and
    /proc/self/cgroup, read from there by default.
    """
    paths = _own(_read("/proc/self/cgroup") if own is None else own)
    v1, v2 = {}, ""
    for place, root, fstype, options in _trees(
        _read("/proc/self/mountinfo") if mountinfo is None else mountinfo
    ):
        found = next((path for path in joined if path.startswith(place + "/")), "")
        if fstype == "cgroup2":
            v2 = v2 or found or _below(place, root, paths.get("", "/"))
        else:
            key = next((key for key in paths if key and set(key.split(",")) <= options), "")
            v1[os.path.basename(place)] = found or _below(place, root, paths.get(key, "/"))
    return CgroupView(v1, v2)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _own(text: str) -> dict[str, str]:
    """Map controllers, as one word, to the path; v2 has the empty word."""
    lines = [line.split(":", 2) for line in text.splitlines()]
    return {controllers: path for _, controllers, path in lines}


def _trees(mountinfo: str) -> list[tuple[str, str, str, set[str]]]:
    found: dict[str, tuple[str, str, str, set[str]]] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fstype, _, rest = after.partition(" ")
        if fstype in {"cgroup", "cgroup2"}:
            words = before.split(" ")
            place = mounts.unescape(words[4])
            found[place] = place, mounts.unescape(words[3]), fstype, set(rest.rpartition(" ")[2].split(","))
    return list(found.values())


def _below(place: str, root: str, path: str) -> str:
    """Translate a path of /proc/self/cgroup to a directory, given a mount that shows `root`."""
    inside = path[len(root.rstrip("/")) :] if (path + "/").startswith(root.rstrip("/") + "/") else "/"
    return place if inside in {"", "/"} else place + inside
