"""Where each controller is mounted: one v2 tree, one v1 tree per controller, or both at once ("hybrid").

Sources: Documentation/admin-guide/cgroup-v1/cgroups.rst and cgroup-v2.rst; proc_pid_mountinfo(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTROLLERS = ("cpu", "cpuacct", "memory", "pids")


@dataclass(frozen=True)
class Tree:
    """One mounted hierarchy, and what this process may see as its root."""

    version: Literal[1, 2]
    mount: Path


@dataclass(frozen=True)
class Hierarchy:
    """The tree of every controller that this host has, and the v2 tree if one is mounted."""

    trees: Mapping[str, Tree]
    unified: Path | None

    @property
    def kind(self) -> Literal["v1", "v2", "hybrid"]:
        """Hybrid: controllers live on v1, and a v2 tree is mounted beside them."""
        if all(tree.version == 2 for tree in self.trees.values()):  # noqa: PLR2004
            return "v2"
        return "hybrid" if self.unified else "v1"

    @property
    def v1(self) -> tuple[str, ...]:
        """Controllers that are on v1."""
        return tuple(name for name, tree in self.trees.items() if tree.version == 1)

    def tree(self, controller: str) -> Tree:
        """Tree of `controller`; a host fault when the kernel has it nowhere."""
        if controller not in self.trees:
            hint = f"enable the {controller} controller (see /proc/cgroups and the kernel command line)"
            raise RuntimeFault(f"this host has no {controller} cgroup controller", kind="host", hint=hint)
        return self.trees[controller]


def detect(mountinfo: str | None = None) -> Hierarchy:
    """Read the hierarchy from the text of a mountinfo file, by default this process's own."""
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8") if mountinfo is None else mountinfo
    trees: dict[str, Tree] = {}
    unified: Path | None = None
    for mount, fstype, options in _cgroup_mounts(text):
        if fstype == "cgroup2":
            unified = unified or mount
        else:
            for name in CONTROLLERS:
                if name in options:
                    trees.setdefault(name, Tree(1, mount))
    if unified:
        for name in _controllers(unified):
            if name in CONTROLLERS:
                trees.setdefault(name, Tree(2, unified))
    if not trees:
        hint = "mount one: mount -t cgroup2 none /sys/fs/cgroup"
        raise RuntimeFault("no cgroup hierarchy with controllers is mounted", kind="host", hint=hint)
    return Hierarchy(trees, unified)


def others(hierarchy: Hierarchy, mountinfo: str | None = None) -> tuple[Tree, ...]:
    """Return the writable hierarchies that are none of `hierarchy`: named ones, and other controllers'."""
    ours = {tree.mount for tree in hierarchy.trees.values()}
    return tuple(
        Tree(2 if mount == hierarchy.unified else 1, mount)
        for mount in mounts(mountinfo)
        if mount not in ours
    )


def mounts(mountinfo: str | None = None) -> tuple[Path, ...]:
    """Return where cgroup hierarchies can be written, with those that Tare itself has no use for."""
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8") if mountinfo is None else mountinfo
    writable = "\n".join(line for line in text.splitlines() if "ro" not in line.split()[5].split(","))
    return tuple(dict.fromkeys(mount for mount, _, _ in _cgroup_mounts(writable)))


def _cgroup_mounts(mountinfo: str) -> list[tuple[Path, str, list[str]]]:
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fstype, _, rest = after.partition(" ")
        if fstype in {"cgroup", "cgroup2"}:
            options = rest.rpartition(" ")[2].split(",")
            found.append((Path(_unescape(before.split()[4])), fstype, options))
    return found


def _unescape(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def _controllers(unified: Path) -> list[str]:
    return (unified / "cgroup.controllers").read_text(encoding="ascii").split()
