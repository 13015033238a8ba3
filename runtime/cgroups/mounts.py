"""Where each controller is mounted, as plain strings: what the start path needs of a host's cgroups.

Names are those of v1 everywhere ("blkio" is v2's io); a v2 tree always freezes, and controls devices through
BPF, unless v1 does it. Sources: proc_pid_mountinfo(5); Documentation/admin-guide/cgroup-v2.rst.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

from runtime.errors import RuntimeFault

# What a v1 tree may carry and a container may be limited by; others (perf_event, misc) are left alone.
CONTROLLERS = (
    "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb", "net_cls",
    "net_prio", "rdma",
)  # fmt: skip
_V2_BUILT_IN = ("freezer", "devices")


class Mounts:
    """`trees` maps a controller to (version, mount point); `unified` is v2's mount point, if there is one."""

    __slots__ = ("trees", "unified")

    def __init__(self, trees: dict[str, tuple[int, str]], unified: str | None) -> None:
        self.trees, self.unified = trees, unified

    @property
    def pure(self) -> bool:
        """Whether every controller lives on v2."""
        return all(version != 1 for version, _ in self.trees.values())


def find(mountinfo: str | None = None) -> Mounts:
    """Read them from the text of a mountinfo file, by default this process's own.

    A host without any cgroup file system has no trees; whoever needs one refuses then, by name.
    """
    if mountinfo is None:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mountinfo = file.read()
    trees: dict[str, tuple[int, str]] = {}
    unified: str | None = None
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - cgroup")
        if not after:
            continue
        mount = _unescape(before.split(" ")[4])
        if after.startswith("2 "):
            unified = unified or mount
        elif after.startswith(" "):
            options = after.rpartition(" ")[2].split(",")
            for name in CONTROLLERS:
                if name in options:
                    trees.setdefault(name, (1, mount))
    for name in _offered(unified) if unified else ():
        trees.setdefault(name, (2, unified or ""))
    return Mounts(trees, unified)


def v2_name(controller: str) -> str:
    """Return its name in cgroup.controllers; empty for what every v2 cgroup can do."""
    return "io" if controller == "blkio" else "" if controller in _V2_BUILT_IN else controller


def absent(controller: str, where: str) -> RuntimeFault:
    """Refusal of the configuration's field `where`, for want of `controller`."""
    hint = f"enable the {controller} controller (see /proc/cgroups and the kernel command line)"
    return RuntimeFault(f"{where}: this host has no {controller} cgroup controller", kind="host", hint=hint)


def _offered(unified: str) -> list[str]:
    try:
        with open(f"{unified}/cgroup.controllers", "rb", buffering=0) as file:
            names = file.read().decode().split()
    except OSError:
        return []
    return ["blkio" if name == "io" else name for name in names if name in {*CONTROLLERS, "io"}] + [
        *_V2_BUILT_IN
    ]


def _unescape(path: str) -> str:
    first, *rest = path.split("\\")
    return first + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)
