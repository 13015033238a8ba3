"""A bundle: a root of busybox and a configuration that every runtime is expected to take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fakes.busybox_layer import make_layer

if TYPE_CHECKING:
    from pathlib import Path

CAPABILITIES = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_SETGID",
    "CAP_SETUID",
]


def base_config(cgroups_path: str) -> dict[str, Any]:
    """The configuration from which every test starts: no user namespace, no hooks, no limits."""
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["true"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {name: list(CAPABILITIES) for name in ("bounding", "effective", "permitted")},
        },
        "mounts": _mounts(),
        "linux": {
            "cgroupsPath": cgroups_path,
            "namespaces": [{"type": name} for name in ("pid", "network", "ipc", "uts", "mount")],
        },
    }


def _mounts() -> list[dict[str, Any]]:
    quiet = ["nosuid", "noexec", "nodev"]
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    dev = ["nosuid", "strictatime", "mode=755", "size=65536k"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": dev},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": pts},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*quiet, "mode=1777"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*quiet, "ro"]},
    ]


class Bundle:
    """A folder with `rootfs` and, once written, `config.json`; `config` is free to be changed before."""

    def __init__(self, path: Path, cgroups_path: str) -> None:
        self.path = path
        self.config = base_config(cgroups_path)
        self.root = make_layer(path / "rootfs")
        for parent in (path, self.root):
            parent.chmod(0o755)

    def write(self) -> None:
        """Put the configuration as it is now where a runtime reads it."""
        (self.path / "config.json").write_text(json.dumps(self.config))
