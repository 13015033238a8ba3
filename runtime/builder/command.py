"""RUN: a command in a container on a node's root; what it writes becomes the layer."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from runtime.container.spec import PATH, ContainerSpec
from runtime.image.layer import whiteout

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from runtime.builder.graph import Execute
    from runtime.builder.tree import Tree
    from runtime.rootfs.plan import Bind, Tmpfs

# What the runtime mounts, or makes for what it mounts: empty places that the command didn't make.
_PLACES = ("dev", "proc", "sys", "etc/resolv.conf", "etc/hosts", "etc")


class CommandFailedError(Exception):
    """The command ended with a code other than 0; `code` is as a shell would report it."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def tidy(upper: Path, below: Tree, targets: tuple[str, ...]) -> None:
    """Remove the empty places of mounts, the runtime's and `targets`, that the root below doesn't have.

    A directory below in which such a place was made has come up with another time alone: that goes too.
    """
    for name in (*_PLACES, *(place for target in targets for place in _upwards(target))):
        place = upper / name
        if place.is_symlink() or not place.exists() or _changed(place, below.status(tuple(name.split("/")))):
            continue
        if place.is_dir():
            with suppress(OSError):  # it holds something of the command's
                place.rmdir()
        elif not place.stat().st_size:
            place.unlink()


def _changed(place: Path, before: os.stat_result | None) -> bool:
    """Say whether what stands at a place is more than a mount needs, compared with what was there."""
    if before is None:
        return False
    now = place.lstat()
    same = (now.st_mode, now.st_uid, now.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    return not same or not stat.S_ISDIR(now.st_mode) or whiteout.is_opaque(place)


def _upwards(target: str) -> list[str]:
    parts = target.strip("/").split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]


def clamp(upper: Path, epoch: int) -> None:
    """Give whatever is newer than `epoch` (seconds since 1970) that time."""
    for directory, names, files in os.walk(upper, topdown=False):
        for name in [*names, *files]:
            _clamp(f"{directory}/{name}", epoch * 10**9)


def _clamp(path: str, newest: int) -> None:
    status = os.lstat(path)
    whiteout = stat.S_ISCHR(status.st_mode) and not status.st_rdev
    if status.st_mtime_ns > newest and not whiteout:
        os.utime(path, ns=(newest, newest), follow_symlinks=False)


def spec(
    operation: Execute, layers: tuple[Path, ...], args: tuple[str, ...], *, mounts: tuple[Bind | Tmpfs, ...],
    environment: dict[str, str],
) -> ContainerSpec:  # fmt: skip
    """Describe the container of a RUN; a value error names what is not supported."""
    if operation.security != "sandbox":
        raise ValueError(f"--security={operation.security} is not supported")
    name, _, path = PATH.partition("=")
    variables = {name: path, **operation.environment, **environment}
    return ContainerSpec(
        id=f"build-{secrets.token_hex(6)}",
        layers=layers,
        args=args,
        env=tuple(f"{key}={value}" for key, value in variables.items()),
        cwd=operation.workdir,
        user=operation.user,
        network=_network(operation.network),
        hostname="buildkitsandbox",
        mounts=mounts,
        labels={"tare.build": "1"},
    )


def _network(asked: str) -> Literal["none", "host"]:
    return "none" if asked == "none" else "host"
