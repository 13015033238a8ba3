"""The Debian packages of an image, read from its layers: dpkg's status (dpkg(1)), and `status.d` beside it.

Images without a package manager, as distroless ones, keep a file for each package in `status.d`.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.deb822 import Deb822

from runtime.errors import RuntimeFault
from runtime.image.merged import child, children, is_directory
from runtime.image.seam import storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from runtime.image.merged import Node

_LIMIT = 64 << 20  # bytes of a file that is read
_SOURCE = re.compile(r"(\S+)(?:\s+\(([^)]+)\))?")
_CODENAME = re.compile(r'^VERSION_CODENAME="?([^"\n]+)"?$', re.MULTILINE)
_RELEASES = ("usr/lib/os-release", "etc/os-release")


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package, and the source package that it was built from, by which advisories go."""

    name: str
    version: str
    source: str
    source_version: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """The packages of an image and its release's code name (os-release(5)); empty where it says none."""

    release: str
    packages: tuple[Package, ...]


def inventory(layers: Iterable[Path]) -> Inventory:
    """Read the packages of unpacked layers, bottom first; no link of the image is followed.

    A fault of kind `missing` where there is no list of Debian packages.
    """
    root: Node = tuple(reversed(tuple(layers)))
    with storage("read the packages of an image", root[0]):
        texts = [
            *_file(_find(root, "var/lib/dpkg/status")),
            *_folder(_find(root, "var/lib/dpkg/status.d")),
        ]
        if not texts:
            raise RuntimeFault(
                "the image has no list of Debian packages (var/lib/dpkg/status)",
                kind="missing",
                hint="only images with Debian packages can be scanned",
            )
        release = next((text for path in _RELEASES for text in _file(_find(root, path))), "")
    packages = {package for text in texts for package in parse(text)}
    found = _CODENAME.search(release)
    ordered = tuple(sorted(packages, key=lambda one: (one.name, one.version)))
    return Inventory(found[1] if found else "", ordered)


def parse(text: str) -> Iterator[Package]:
    """Yield the installed packages of dpkg's status; one without a status (`status.d`) is installed."""
    for stanza in Deb822.iter_paragraphs(text, use_apt_pkg=False):
        name, version = stanza.get("Package"), stanza.get("Version")
        if not name or not version or not stanza.get("Status", "install ok installed").endswith(" installed"):
            continue
        source = _SOURCE.fullmatch(stanza.get("Source", name).strip())
        yield Package(name, version, source[1] if source else name, (source and source[2]) or version)


def _find(node: Node, path: str) -> Node:
    """Return what a path stands for; empty if there is nothing, or if a link is on the way."""
    for name in path.split("/"):
        if not is_directory(node):
            return ()
        node = child(node, name)
    return node


def _folder(node: Node) -> list[str]:
    if not is_directory(node):
        return []
    return [text for name, entry in children(node).items() if "." not in name for text in _file(entry)]


def _file(node: Node) -> list[str]:
    """Return the text of a regular file in a list, or nothing."""
    if not node or not stat.S_ISREG(node[0].lstat().st_mode):
        return []
    with os.fdopen(os.open(node[0], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return [file.read(_LIMIT).decode(errors="replace")]
