"""`tare-oci spec`: a config.json to start from."""

from __future__ import annotations

import json
import os

from runtime.errors import RuntimeFault
from runtime.oci.lifecycle import SPECIFICATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.options import Arguments
    from runtime.oci.report import Log

USAGE = "[--bundle DIR] [--rootless]"
OPTIONS = """
    bundle,b TEXT DIR to write config.json into (default: the working directory)
    rootless FLAG for a user without privileges
"""
MIXED = True
_KEPT = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
_MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
_READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Write config.json; one that is there stays."""
    path = f"{arguments.text('bundle') or '.'}/config.json"
    content = json.dumps(specification(rootless=arguments.flag("rootless")), indent="\t") + "\n"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError as err:
        raise RuntimeFault(
            f"File {path} exists. Remove it first", kind="usage", hint="or name another --bundle"
        ) from err
    except OSError as err:
        raise RuntimeFault.from_os(err, f"write {path}") from err
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(content)
    return 0


def specification(*, rootless: bool = False) -> dict[str, Any]:
    """Return a config.json (config.md, config-linux.md) that runs a shell at a terminal."""
    kinds = ["pid", "ipc", "uts", "mount", "cgroup", *(["user"] if rootless else ["network"])]
    linux: dict[str, Any] = {
        "namespaces": [{"type": kind} for kind in kinds],
        "maskedPaths": list(_MASKED),
        "readonlyPaths": list(_READONLY),
    }
    if rootless:
        linux["uidMappings"] = [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": os.getegid(), "size": 1}]
    else:
        linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    return {
        "ociVersion": SPECIFICATION,
        "process": {
            "terminal": True, "user": {"uid": 0, "gid": 0}, "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {"bounding": _KEPT, "effective": _KEPT, "permitted": _KEPT},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}], "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "tare",
        "mounts": _mounts(rootless=rootless),
        "linux": linux,
    }  # fmt: skip


def _mounts(*, rootless: bool) -> list[dict[str, Any]]:
    quiet = ["nosuid", "noexec", "nodev"]
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", *([] if rootless else ["gid=5"])]
    sys = {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*quiet, "ro"]}
    if rootless:  # sysfs belongs to the network namespace's owner
        sys = {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", *quiet, "ro"]}
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        _tmpfs("/dev", "nosuid", "strictatime", "mode=755", "size=65536k"),
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": pts},
        {**_tmpfs("/dev/shm", *quiet, "mode=1777", "size=65536k"), "source": "shm"},  # noqa: S108
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": quiet},
        sys,
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
         "options": [*quiet, "relatime", "ro"]},
    ]  # fmt: skip


def _tmpfs(destination: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": list(options)}
