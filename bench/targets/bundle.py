"""The bundle that every OCI runtime is given: Tare's own namespaces, masks and limits, in config.json.

Source: the OCI runtime specification, config.md and config-linux.md.
"""

import json
from pathlib import Path
from typing import Any

from bench.target import Box
from bench.workloads.agent import PATH as AGENT
from runtime.container.spec import PATH
from runtime.linux import capabilities
from runtime.rootfs import plan

PERIOD = 100_000  # microseconds, as docker has it
NONE = ["nosuid", "noexec", "nodev"]
MOUNTS = (
    ("proc", "/proc", NONE),
    ("tmpfs", "/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("devpts", "/dev/pts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("tmpfs", "/dev/shm", [*NONE, "mode=1777", "size=65536k"]),  # noqa: S108 - the box's own
    ("mqueue", "/dev/mqueue", NONE),
    ("sysfs", "/sys", [*NONE, "ro"]),
    ("tmpfs", "/tmp", ["nosuid", "nodev", "mode=1777"]),  # noqa: S108 - the box's own
)
NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")


def write(place: Path, root: Path, box: Box, group: str) -> None:
    """Write config.json into the new directory `place`; `group` is the cgroup's path."""
    place.mkdir()
    (place / "config.json").write_text(json.dumps(config(root, box, group)))


def config(root: Path, box: Box, group: str) -> dict[str, Any]:
    """Return the document: the agent in `root`, which is shared and so read-only, with a /tmp of its own."""
    kept = [f"CAP_{name}" for name in capabilities.DEFAULT]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": [AGENT], "env": [PATH], "cwd": "/",
            "capabilities": {"bounding": kept, "effective": kept, "permitted": kept},
        },
        "root": {"path": str(root), "readonly": True},
        "hostname": "box",
        "mounts": [
            {"type": kind, "source": kind, "destination": place, "options": options}
            for kind, place, options in MOUNTS
        ],
        "linux": {
            "cgroupsPath": group,
            "namespaces": [{"type": kind} for kind in NAMESPACES],
            "resources": {
                "memory": {"limit": box.memory},
                "cpu": {"quota": round(box.cpus * PERIOD), "period": PERIOD},
            },
            "maskedPaths": list(plan.MASKED),
            "readonlyPaths": list(plan.READONLY),
        },
    }  # fmt: skip
