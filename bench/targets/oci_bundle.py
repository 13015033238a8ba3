"""The config.json of a measured container: docker's defaults, as far as Tare's own container has them."""

from pathlib import Path
from typing import Any

from bench.target import Box
from bench.targets import confinement
from bench.workloads.agent import PATH as AGENT
from runtime.container.spec import PATH
from runtime.rootfs.plan import MASKED, READONLY

_PERIOD = 100_000  # microseconds
_NONE = ["nosuid", "noexec", "nodev"]
_MOUNTS = (
    ("proc", "/proc", _NONE),
    ("tmpfs", "/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("devpts", "/dev/pts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("tmpfs", "/dev/shm", [*_NONE, "mode=1777", "size=65536k"]),  # noqa: S108 - inside the container
    ("tmpfs", "/tmp", ["nosuid", "nodev", "mode=1777"]),  # noqa: S108
    ("sysfs", "/sys", [*_NONE, "ro"]),
    ("cgroup", "/sys/fs/cgroup", [*_NONE, "relatime", "ro"]),
)


def config(root: Path, box: Box, group: str) -> dict[str, Any]:
    """Return the document (OCI runtime specification 1.0.2) for the agent in `root`, as `box` limits it.

    `group` is the cgroup's path, below every hierarchy.
    """
    kept = list(confinement.KEPT)
    kinds = ("pid", "network", "ipc", "uts", "mount", "cgroup")
    cpu = {"quota": round(box.cpus * _PERIOD), "period": _PERIOD}
    pids = {"pids": {"limit": box.pids}} if box.pids else {}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": [AGENT], "env": [PATH], "cwd": "/",
            "capabilities": {"bounding": kept, "effective": kept, "permitted": kept},
        },
        "root": {"path": str(root), "readonly": True},
        "hostname": "tare",
        "mounts": [
            {"type": kind, "source": kind, "destination": place, "options": options}
            for kind, place, options in _MOUNTS
        ],
        "linux": {
            "cgroupsPath": group,
            "namespaces": [{"type": kind} for kind in kinds],
            "resources": {"memory": {"limit": box.memory}, "cpu": cpu, **pids},
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READONLY),
            "seccomp": confinement.profile(),
        },
    }  # fmt: skip
