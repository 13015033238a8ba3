"""What to start: a container from image layers, or a bare process from a directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

from runtime.cgroups.manager import Resources
from runtime.errors import RuntimeFault
from runtime.linux import capabilities

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.rootfs.plan import Bind, Tmpfs

_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_LETTERS, _LONGEST = _FIRST | frozenset("_.-"), 63
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_UNLIMITED = Resources()


@dataclass(frozen=True)
class ContainerSpec:
    """A container: `layers` are directories, bottom first; `user` is "uid[:gid]", by number or name.

    `seccomp` is a filter's program (`runtime.linux.seccomp.Filter.program`), under which it changes its user
    and executes `args`.
    """

    id: str
    layers: tuple[Path, ...]
    args: tuple[str, ...]
    env: tuple[str, ...] = (PATH,)
    cwd: str = "/"
    hostname: str = ""
    user: str = ""
    resources: Resources = _UNLIMITED
    network: Literal["none", "host"] = "none"
    readonly: bool = False
    mounts: tuple[Bind | Tmpfs, ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    seccomp: bytes = b""
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.id, self.args, self.env)
        if not self.layers:
            raise RuntimeFault(f"container {self.id} has no layers", kind="usage", hint="give it an image")
        if not self.cwd.startswith("/"):
            raise RuntimeFault(
                f"working directory {self.cwd} is not absolute", kind="usage", hint=f"try /{self.cwd}"
            )
        for mount in self.mounts:
            _check_mount(mount)
        self.capabilities()

    def capabilities(self) -> int:
        """Bit mask of the capabilities to keep: docker's default, less `cap_drop`, plus `cap_add`."""
        if not self.cap_drop and not self.cap_add:
            return _default()
        try:
            dropped, added = _mask(self.cap_drop), _mask(self.cap_add)
        except KeyError as err:
            hint = "names are as in capabilities(7), for example NET_ADMIN, or ALL"
            raise RuntimeFault(f"there is no capability {err.args[0]}", kind="usage", hint=hint) from err
        supported = (1 << _last_capability() + 1) - 1
        return (_mask(capabilities.DEFAULT) & ~dropped | added) & supported


_mask = cache(capabilities.mask)


@cache
def _default() -> int:
    return _mask(capabilities.DEFAULT) & (1 << _last_capability() + 1) - 1


@cache
def _last_capability() -> int:
    return capabilities.last()


@dataclass(frozen=True)
class NativeSpec:
    """A bare process: fork, chroot into `root` if given, exec.

    `resources` asks for a cgroup (Resources() for one without limits); `mounts`, onto directories that exist
    in `root`, ask for a private mount namespace. `everywhere` makes the cgroup in every hierarchy, for a
    command that makes cgroups of its own below.
    """

    id: str
    args: tuple[str, ...]
    env: tuple[str, ...] = (PATH,)
    cwd: str = "/"
    root: Path | None = None
    resources: Resources | None = None
    everywhere: bool = False
    mounts: tuple[Bind, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.id, self.args, self.env)
        for bind in self.mounts:
            _check_mount(bind)


def check(name: str, args: tuple[str, ...], env: tuple[str, ...]) -> None:
    """Refuse what the kernel or the file system would refuse later, less clearly."""
    if not 0 < len(name) <= _LONGEST or name[0] not in _FIRST or not _LETTERS.issuperset(name):
        hint = "use letters, digits, '_', '.' and '-', at most 63, a letter or digit first"
        raise RuntimeFault(f"{name!r} is no name for a container", kind="usage", hint=hint)
    if not args or not args[0]:
        raise RuntimeFault(f"{name} has no command to run", kind="usage", hint="give one after the image")
    for item in env:
        if item.find("=") < 1:
            raise RuntimeFault(
                f"environment entry {item!r} is not KEY=VALUE", kind="usage", hint="for example A=1"
            )
    if "\0" in "".join((*args, *env)):
        raise RuntimeFault("a command or environment can't hold a NUL byte", kind="usage", hint="remove it")


def environment(items: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE entries as a dictionary; the last of a key wins."""
    return dict(item.split("=", 1) for item in items)


def _check_mount(mount: Bind | Tmpfs) -> None:
    if not mount.target.startswith("/"):
        raise RuntimeFault(
            f"mount target {mount.target} is not absolute", kind="usage", hint="for example /data"
        )
    source = getattr(mount, "source", None)  # a tmpfs has none
    if source and not source.exists():
        hint = "create it first; nothing is created on the host by itself"
        raise RuntimeFault(f"mount source {source} does not exist", kind="usage", hint=hint)
