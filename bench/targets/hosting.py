"""What this host has to offer, asked before anything is started."""

import os
from pathlib import Path

from runtime.cgroups.hierarchy import detect
from runtime.errors import RuntimeFault
from runtime.linux import libseccomp, seccomp


def lacks(*, root: bool = False, overlay: bool = False, cgroups: bool = False, filters: bool = False) -> str:
    """Return in words what is wanted and missing, or nothing."""
    if root and os.geteuid() != 0:
        return "needs root: run it with sudo"
    if overlay and "overlay" not in Path("/proc/filesystems").read_text() and not _loadable("overlay"):
        return "the kernel has no overlayfs: load the module `overlay`"
    if cgroups:
        try:
            detect()
        except RuntimeFault as fault:
            return f"{fault} ({fault.hint})"
    return _lacks_filters() if filters else ""


def _lacks_filters() -> str:
    if not seccomp.supported():
        return "the kernel has no filters of system calls: CONFIG_SECCOMP_FILTER"
    try:
        libseccomp.library()
    except RuntimeFault as fault:
        return f"{fault} ({fault.hint})"
    return ""


def _loadable(module: str) -> bool:
    folder = Path("/lib/modules", os.uname().release)
    return any(folder.rglob(f"{module}.ko*"))
