"""Devices and links that every container gets, and those of linux.devices.

config-linux.md (Default Devices, Devices) and runtime-linux.md (Dev symbolic links). /dev/console is the
terminal's business.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH110

from __future__ import annotations

import os

from runtime.errors import RuntimeFault
from runtime.rootfs.nodes import KINDS
from runtime.rootfs.oci_steps import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

DEFAULT = {
    "/dev/null": (1, 3), "/dev/zero": (1, 5), "/dev/full": (1, 7), "/dev/random": (1, 8),
    "/dev/urandom": (1, 9), "/dev/tty": (5, 0),
}  # fmt: skip
_LINKS = (
    ("/proc/self/fd", "/dev/fd"), ("/proc/self/fd/0", "/dev/stdin"), ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
)  # fmt: skip


def steps(devices: Iterable[dict[str, Any]], *, mapped: bool) -> list[Step]:
    """Return the steps; `mapped` says that the container is in a user namespace, where mknod is refused."""
    given = {}
    for index, device in enumerate(devices):
        where = f"linux.devices[{index}]"
        given[device.get("path", "")] = _listed(device, where, mapped=mapped)
    found = [
        _step("linux.devices", path, "c", *number, 0o666, 0, 0, mapped=mapped)
        for path, number in DEFAULT.items()
        if path not in given
    ]
    return [*found, *given.values(), *_links()]


def _listed(device: dict[str, Any], where: str, *, mapped: bool) -> Step:
    path, kind = device.get("path", ""), device.get("type", "")
    if not path.startswith("/"):
        raise RuntimeFault(f"{where}.path: {path!r} is not an absolute path", kind="usage")
    if kind not in KINDS:
        raise RuntimeFault(f"{where}.type: {kind!r} is none of c, b, u, p", kind="usage")
    if kind != "p" and not {"major", "minor"} <= device.keys():
        raise RuntimeFault(f"{where}: a device of type {kind} needs major and minor", kind="usage")
    numbers = device.get("major") or 0, device.get("minor") or 0
    if not all(0 <= number < 1 << 32 for number in numbers):
        raise RuntimeFault(f"{where}: {numbers[0]}:{numbers[1]} is no number of a device", kind="usage")
    mode = device.get("fileMode")
    mode = 0o666 if mode is None else mode & 0o7777
    return _step(
        where, path, kind, *numbers, mode, device.get("uid") or 0, device.get("gid") or 0, mapped=mapped
    )


def _step(  # noqa: PLR0917 - the numbers of one device
    where: str, path: str, kind: str, major: int, minor: int, mode: int, uid: int, gid: int, *, mapped: bool
) -> Step:
    if mapped and kind != "p":
        return Step("borrow", where, path=path, kind=kind, major=major, minor=minor)
    number = {"major": major, "minor": minor}
    return Step("node", where, path=path, kind=kind, **number, mode=mode, uid=uid, gid=gid)


def _links() -> list[Step]:
    links = [*_LINKS, *((("/proc/kcore", "/dev/core"),) if os.path.exists("/proc/kcore") else ())]
    found = [Step("symlink", "", text=text, path=path, replace=False) for text, path in links]
    return [*found, Step("symlink", "", text="pts/ptmx", path="/dev/ptmx", replace=True)]
