"""What the parent takes of the host for a child that may not: bind sources, and id-mapped ones.

A child in a user namespace has the rights of its mapped user on the host's paths, and none to map ids on the
host's file systems (mount_setattr(2), MOUNT_ATTR_IDMAP needs CAP_SYS_ADMIN over the file system). A detached
mount made before the fork is inherited as a descriptor.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

import os

from runtime.errors import RuntimeFault
from runtime.linux import mounts, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from runtime.rootfs.oci_steps import Step

_NEWUSER, _IDMAP = 0x10000000, 0x100000


class IdMap:
    """The mappings of one mount, as in config.json; without any, the container's own are meant."""

    __slots__ = ("gids", "recursive", "uids")

    def __init__(self, uids: list[dict[str, int]], gids: list[dict[str, int]], *, recursive: bool) -> None:
        self.uids, self.gids, self.recursive = uids, gids, recursive


class Taken:
    """A context: `steps` with the descriptors that a child inherits, closed at the end.

    Enter it before the fork. Raises RuntimeFault with the field of the mount that can't be taken.
    """

    def __init__(self, steps: Sequence[Step], config: dict[str, Any], *, rootless: bool) -> None:
        self.steps: list[Step] = list(steps)
        self._linux = config.get("linux") or {}
        self._rootless = rootless
        self._fds: list[int] = []

    def __enter__(self) -> Taken:
        try:
            self.steps = [self._take(step) if self._wanted(step) else step for step in self.steps]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def _wanted(self, step: Step) -> bool:
        mapped = any(space["type"] == "user" for space in self._linux.get("namespaces") or ())
        return step.name == "tree" and (step.idmap is not None or (mapped and not self._rootless))

    def _take(self, step: Step) -> Step:
        if step.idmap and self._rootless:
            raise RuntimeFault(f"{step.where}: an id-mapped mount needs root", kind="host")
        try:
            fd = syscalls.open_tree(str(step.given["source"]), recursive=bool(step.given["recursive"]))
            self._fds.append(fd)
            self._cut(step, fd)
            if step.idmap:
                self._map(fd, step.idmap, step.where)
        except OSError as err:
            raise RuntimeFault.from_os(err, step.describe()) from err
        return step.changed(fd=fd)

    def _cut(self, step: Step, fd: int) -> None:
        """Do to the copy what the child does to all mounts of its namespace: it was made in the host's."""
        if str(self._linux.get("rootfsPropagation") or "").removeprefix("r") != "shared":
            syscalls.mount_setattr(fd, propagation=mounts.SLAVE, recursive=bool(step.given["recursive"]))

    def _map(self, fd: int, wanted: IdMap, where: str) -> None:
        uids = wanted.uids or self._linux.get("uidMappings") or []
        gids = wanted.gids or self._linux.get("gidMappings") or []
        if not uids or not gids:
            hint = (
                "give the mount uidMappings and gidMappings, or the container a user namespace with mappings"
            )
            raise RuntimeFault(f"{where}: an id-mapped mount without mappings", kind="usage", hint=hint)
        userns = user_namespace(uids, gids)
        try:
            syscalls.mount_setattr(fd, set_=_IDMAP, userns=userns, recursive=wanted.recursive)
        finally:
            os.close(userns)


def user_namespace(uids: list[dict[str, int]], gids: list[dict[str, int]]) -> int:
    """Descriptor of a user namespace with these mappings; no process is left in it."""
    hear, tell = os.pipe()
    pid, pidfd = syscalls.clone3(_NEWUSER)
    if pid == 0:
        os.close(tell)
        os.read(hear, 1)
        os._exit(0)
    try:
        for name, mappings in (("uid_map", uids), ("gid_map", gids)):
            lines = [f"{one['containerID']} {one['hostID']} {one['size']}\n" for one in mappings]
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write("".join(lines))
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        for fd in (hear, tell, pidfd):
            os.close(fd)
        os.waitpid(pid, 0)
