"""Versions of everything that can move a number."""

from __future__ import annotations

import ctypes
import platform
import re
import subprocess
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 10
NUMBER = re.compile(r"\d+(\.\d+)+[\w.~+:-]*")
PROGRAMS = {
    "qemu": ["qemu-system-x86_64", "--version"],
    "qemu-img": ["qemu-img", "--version"],
    "busybox": ["busybox"],
    "mke2fs": ["mke2fs", "-V"],
    "mmdebstrap": ["mmdebstrap", "--version"],
    "bwrap": ["bwrap", "--version"],
    "conmon": ["conmon", "--version"],
    "containerd": ["containerd", "--version"],
    "crun": ["crun", "--version"],
    "docker": ["docker", "--version"],
    "dockerd": ["dockerd", "--version"],
    "linux.uml": ["linux.uml", "--version"],
    "lxc": ["lxc-start", "--version"],
    "podman": ["podman", "--version"],
    "runc": ["runc", "--version"],
    "runsc": ["runsc", "--version"],
    "systemd-nspawn": ["systemd-nspawn", "--version"],
}


def versions(data: Path) -> dict[str, str]:
    """Return versions by name; what isn't installed is absent. `data` is Tare's data root."""
    found = {
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "tare": _distribution("tare"),
        "libvirt": library("libvirt.so.0", "virGetVersion"),
        "libvirt-python": _distribution("libvirt-python"),
        "guest kernel": guest_kernels(data),
        **{name: program(command) for name, command in PROGRAMS.items()},
    }
    return {name: version for name, version in found.items() if version}


def program(command: list[str]) -> str | None:
    """Return the first version number that a program prints; None when it isn't there."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = NUMBER.search(done.stdout.decode(errors="replace"))
    return match.group() if match else None


def library(name: str, function: str) -> str | None:
    """Return the version of a C library with libvirt's convention: major * 1000000 + minor * 1000 + patch."""
    number = ctypes.c_ulong()
    try:
        failed = getattr(ctypes.CDLL(name), function)(ctypes.byref(number), None, None)
    except (OSError, AttributeError):
        return None
    if failed:
        return None
    return f"{number.value // 1_000_000}.{number.value // 1000 % 1000}.{number.value % 1000}"


def guest_kernels(data: Path) -> str | None:
    """Return the releases of the guest kernels that were unpacked under the data root."""
    found = sorted({path.name.removeprefix("vmlinuz-") for path in (data / "vm").glob("**/boot/vmlinuz-*")})
    return ", ".join(found) or None


def _distribution(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
