"""Where all peers run: one mount namespace of their own, in which the pickiest of them works.

The comparing process itself moves there, before it starts anything, so no peer pays for being put there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.cgroups import tree
from runtime.cgroups.hierarchy import detect
from runtime.linux import mounts, namespaces, syscalls
from tests.peers.bundle import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEFT = (GROUP, "libpod_parent/conmon", "libpod_parent", "crun")  # shared parents that the peers leave


def enter() -> None:
    """Move this process, before it has threads, into the namespace; it never comes back.

    `/run` is a fresh tmpfs, so that podman and docker meet nobody else's state. A v2 tree without controllers
    beside v1 ("hybrid") is unmounted: crun before 1.9 refuses such a host.
    """
    hierarchy = detect()
    syscalls.unshare(namespaces.flags("mount"))
    syscalls.mount("none", "/", "", mounts.REC | mounts.PRIVATE)
    if hierarchy.kind == "hybrid" and hierarchy.unified:
        syscalls.umount(str(hierarchy.unified))
    syscalls.mount("tmpfs", "/run", "tmpfs", mounts.NOSUID | mounts.NODEV, "mode=755")


@contextmanager
def folder() -> Iterator[Path]:
    """Directory for everything that the peers keep, gone at the end, and the cgroups they left with it."""
    # Not below /tmp, which is a tmpfs on many hosts: an overlay's top is to lie where images lie.
    place = Path(tempfile.mkdtemp(prefix="tare-peers-", dir="/var/tmp"))
    groups = [mount / name for mount in _cgroup_mounts() for name in _LEFT]
    ours = [str(group) for group in groups if not group.exists()]
    try:
        yield place
    finally:
        _unmount(place)
        shutil.rmtree(place)
        tree.remove_empty(ours)


@contextmanager
def disk(place: Path, size: int = 32 << 30) -> Iterator[Path]:
    """Mount a new ext4 of at most `size` bytes, a sparse file in `place`; gone with the mount namespace.

    Images are removed in every round. On a host whose ext4 has no journal, each file then takes ten times as
    long to make, for minutes (ext4's `recently_deleted`), which would hide what is compared.
    """
    image, mounted = place / "disk", place / "on"  # short: podman takes 50 letters for its runroot
    with image.open("wb") as file:
        file.truncate(size)
    mounted.mkdir()
    _tool("mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(image))
    device = _tool("losetup", "--find", "--show", "--direct-io=on", str(image))
    try:
        syscalls.mount(device, str(mounted), "ext4", 0, "")
    finally:
        _tool("losetup", "--detach", device)  # while it is mounted, this only says: with the mount
    try:
        yield mounted
    finally:
        syscalls.umount(str(mounted), mounts.DETACH)


def _tool(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def _cgroup_mounts() -> list[Path]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [Path(line.split()[4]) for line in lines if " - cgroup" in line]


def _unmount(place: Path) -> None:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    for target in reversed([line.split()[4] for line in lines]):
        if target.startswith(f"{place}/"):
            syscalls.umount(target, mounts.DETACH)


def host() -> dict[str, object]:
    """What the figures depend on: kernel, processors, cgroup version."""
    return {"kernel": os.uname().release, "cpus": os.cpu_count(), "cgroups": detect().kind,
            "load": os.getloadavg()[0]}  # fmt: skip


def version(program: str) -> str:
    """Say what a program calls itself; empty when it does not."""
    try:
        done = subprocess.run([program, "--version"], check=False, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0].strip()
