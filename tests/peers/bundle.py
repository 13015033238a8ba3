"""The one thing that every peer starts: a root of one static program, and an OCI bundle around it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.linux import capabilities
from runtime.rootfs import plan
from tests.fakes.busybox_layer import make_layer

if TYPE_CHECKING:
    from pathlib import Path

MEMORY, PIDS = 256 << 20, 100  # bytes; processes
GROUP = "tare-peers"
_ENV = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NONE = ["nosuid", "noexec", "nodev"]
_MOUNTS = (
    ("proc", "/proc", _NONE),
    ("tmpfs", "/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("devpts", "/dev/pts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("tmpfs", "/dev/shm", [*_NONE, "mode=1777", "size=65536k"]),
    ("mqueue", "/dev/mqueue", _NONE),
    ("sysfs", "/sys", [*_NONE, "ro"]),
    ("cgroup", "/sys/fs/cgroup", [*_NONE, "relatime", "ro"]),
)


@dataclass(frozen=True)
class Bundle:
    """A directory with config.json, and the root that it names."""

    path: Path
    root: Path


def make(folder: Path, args: tuple[str, ...]) -> Bundle:
    """Make the root once, and a bundle that runs `args` in it with the limits and masks of Tare's plan."""
    root, path = folder / "root", folder / f"bundle-{args[0].rpartition('/')[2]}"
    if not root.exists():
        make_layer(root)
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config(root, args), indent=1))
    return Bundle(path, root)


def config(root: Path, args: tuple[str, ...]) -> dict[str, Any]:
    """Return a config.json (OCI runtime specification 1.0) that does what Tare does by default."""
    kept = [f"CAP_{name}" for name in capabilities.DEFAULT]
    kinds = ("pid", "network", "ipc", "uts", "mount", "cgroup")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": list(args), "env": [_ENV], "cwd": "/",
            "capabilities": {"bounding": kept, "effective": kept, "permitted": kept},
        },
        "root": {"path": str(root), "readonly": False},
        "hostname": "peer",
        "mounts": [
            {"type": kind, "source": kind, "destination": place, "options": options}
            for kind, place, options in _MOUNTS
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in kinds],
            "resources": {"memory": {"limit": MEMORY}, "pids": {"limit": PIDS}},
            "maskedPaths": list(plan.MASKED),
            "readonlyPaths": list(plan.READONLY),
        },
    }  # fmt: skip
