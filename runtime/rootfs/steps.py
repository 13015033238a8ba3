"""The steps of building a root file system, as values: a phrase for people, a wire form for the child.

`rootfs.assemble` carries them out, in the child, inside its own mount namespace: a mount made there cannot be
left behind on the host, whatever happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Step:
    """One step; `name` is its function in `rootfs.assemble`, the fields are the arguments."""

    name: ClassVar[str]
    phrase: ClassVar[str]

    def describe(self) -> str:
        """Say what it does, in words that fit after "cannot"."""
        return self.phrase.format_map(vars(self))

    def wire(self) -> list[object]:
        """Return the name and the arguments, fit for JSON."""
        return [self.name, *vars(self).values()]


@dataclass(frozen=True)
class Private(Step):
    """Cut the namespace's mounts off from the host's, in both directions."""

    name, phrase = "private", "make all mounts private"


@dataclass(frozen=True)
class Overlay(Step):
    """Mount the layers (bottom first) with a writable top; layers have absolute paths, the rest may not."""

    layers: tuple[str, ...]
    upper: str
    work: str
    target: str
    name, phrase = "overlay", "mount the overlay"


@dataclass(frozen=True)
class Hold(Step):
    """Take a copy of a host mount while the host's paths can still be seen."""

    source: str
    recursive: bool = True
    name, phrase = "hold", "take {source} of the host"


@dataclass(frozen=True)
class Attach(Step):
    """Place a held mount. Symlinks in `target` are followed inside the new root: none leads out."""

    source: str
    target: str
    readonly: bool = False
    create: bool = True
    name, phrase = "attach", "bind {source} at {target}"


@dataclass(frozen=True)
class Device(Step):
    """Place a held device file at its own path in the container's new /dev, where there is nothing yet."""

    path: str
    name, phrase = "device", "bind {path} at {path}"


@dataclass(frozen=True)
class Pivot(Step):
    """Make `root` the root of the namespace and let go of the old one."""

    root: str
    name, phrase = "pivot", "pivot to the {root} directory"


@dataclass(frozen=True)
class Chroot(Step):
    """Make `root` the root of this process alone."""

    root: str
    name, phrase = "chroot", "chroot to {root}"


@dataclass(frozen=True)
class Mount(Step):
    """Mount a new file system; the directory is made where the image lacks it."""

    fstype: str
    target: str
    flags: int
    data: str = ""
    name, phrase = "mount", "mount {fstype} at {target}"


@dataclass(frozen=True)
class Link(Step):
    """Make a symbolic link."""

    text: str
    path: str
    name, phrase = "link", "link {path} to {text}"


@dataclass(frozen=True)
class Mask(Step):
    """Hide what the kernel may offer at a path: a file under /dev/null, a directory under an empty tmpfs."""

    path: str
    name, phrase = "mask", "mask {path}"


@dataclass(frozen=True)
class Readonly(Step):
    """Make a path read-only, if it exists; the root itself included."""

    path: str
    name, phrase = "readonly", "make {path} read-only"
