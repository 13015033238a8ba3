"""The steps of building a root file system, as values: `describe()` for people, `wire()` for the process that acts.

`rootfs.execute` carries them out, in the child, inside its own mount namespace: a mount made there cannot be left
behind on the host, whatever happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Step(Protocol):
    """One step."""

    def describe(self) -> str:
        """What it does, as a phrase that fits after "cannot"."""

    def wire(self) -> list[object]:
        """Name of the step in `rootfs.execute` and its arguments, fit for JSON."""


@dataclass(frozen=True)
class Private:
    """Cut the namespace's mounts off from the host's, in both directions."""

    def describe(self) -> str:
        return "make all mounts private"

    def wire(self) -> list[object]:
        return ["private"]


@dataclass(frozen=True)
class Overlay:
    """Mount the layers (bottom first) with a writable top."""

    layers: tuple[str, ...]
    upper: str
    work: str
    target: str

    def describe(self) -> str:
        return f"mount an overlay of {len(self.layers)} layers at {self.target}"

    def wire(self) -> list[object]:
        return ["overlay", list(reversed(self.layers)), self.upper, self.work, self.target]


@dataclass(frozen=True)
class Hold:
    """Take a copy of a host mount while the host's paths can still be seen."""

    source: str
    recursive: bool = True

    def describe(self) -> str:
        return f"take {self.source} of the host"

    def wire(self) -> list[object]:
        return ["hold", self.source, self.recursive]


@dataclass(frozen=True)
class Attach:
    """Place a held mount. Symlinks in `target` are followed inside the new root, so an image can't lead out."""

    source: str
    target: str
    readonly: bool = False
    create: bool = True

    def describe(self) -> str:
        return f"bind {self.source} at {self.target}{' read-only' if self.readonly else ''}"

    def wire(self) -> list[object]:
        return ["attach", self.source, self.target, self.readonly, self.create]


@dataclass(frozen=True)
class Pivot:
    """Make `root` the root of the namespace and let go of the old one."""

    root: str

    def describe(self) -> str:
        return f"pivot to {self.root}"

    def wire(self) -> list[object]:
        return ["pivot", self.root]


@dataclass(frozen=True)
class Chroot:
    """Make `root` the root of this process alone."""

    root: str

    def describe(self) -> str:
        return f"chroot to {self.root}"

    def wire(self) -> list[object]:
        return ["chroot", self.root]


@dataclass(frozen=True)
class Mount:
    """Mount a new file system; the directory is made where the image lacks it."""

    fstype: str
    target: str
    flags: int
    data: str = ""

    def describe(self) -> str:
        return f"mount {self.fstype} at {self.target}"

    def wire(self) -> list[object]:
        return ["mount", self.fstype, self.target, self.flags, self.data]


@dataclass(frozen=True)
class Link:
    """Make a symbolic link."""

    text: str
    path: str

    def describe(self) -> str:
        return f"link {self.path} to {self.text}"

    def wire(self) -> list[object]:
        return ["link", self.text, self.path]


@dataclass(frozen=True)
class Mask:
    """Hide a path that the kernel offers, if it does: a file under /dev/null, a directory under an empty tmpfs."""

    path: str

    def describe(self) -> str:
        return f"mask {self.path}"

    def wire(self) -> list[object]:
        return ["mask", self.path]


@dataclass(frozen=True)
class Readonly:
    """Make a path read-only, if it exists; the root itself included."""

    path: str

    def describe(self) -> str:
        return f"make {self.path} read-only"

    def wire(self) -> list[object]:
        return ["readonly", self.path]
