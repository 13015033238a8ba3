"""The guest kernel: the distribution's own cloud kernel, downloaded and unpacked but not installed."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmdriver.errors import MachineFault
from vmdriver.files import discard, locked, replacing
from vmdriver.tools import run

if TYPE_CHECKING:
    from collections.abc import Callable

# Debian's kernel for virtual machines; Ubuntu's nearest relative where there is none.
_METAPACKAGES = ("linux-image-cloud-amd64", "linux-image-virtual")
_SETUP = 64 * 1024  # bytes: the setup code of a bzImage and its strings
_DEPENDS = re.compile(r"^\s*\|?Depends: (linux-(?:image|modules)-\d\S*)$", re.MULTILINE)


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel: its release as `uname -r` says it, its package, bzImage and modules."""

    release: str
    package: str
    image: Path
    modules: Path


def kernels(data: Path) -> tuple[Kernel, ...]:
    """Return the kernels below `data` that are ready to boot, the newest unpacked last."""
    found = sorted((data / "vm/kernels").glob("*/package"), key=lambda path: path.stat().st_mtime)
    return tuple(_describe(path.parent) for path in found)


def obtain(data: Path, *, progress: Callable[[str], None] = lambda _: None) -> Kernel:
    """Return the guest kernel below `data`, downloading it through apt if there is none yet.

    Raises MachineFault, kind `host`, without apt or a network.
    """
    with locked(data / "vm/kernels/.lock"):
        have = kernels(data)
        return have[-1] if have else _download(data / "vm/kernels", progress)


def at(place: Path) -> Kernel:
    """Return the kernel in `place`: a bzImage, or a directory as an unpacked package is, with boot/vmlinuz-*.

    Modules are looked for beside it and on this host; a boot from memory needs none. Raises MachineFault of
    kind `usage` for what is no kernel.
    """
    found = sorted((place / "boot").glob("vmlinuz-*")) if place.is_dir() else [place]
    if len(found) != 1:
        raise MachineFault(
            f"{place}/boot holds {len(found) or 'no'} kernels", kind="usage", hint="name the bzImage itself"
        )
    image = found[0].absolute()
    release = _release(image)
    roots = (image.parent.parent, image.parent, Path("/"))
    places = [root / sub / release for root in roots for sub in ("lib/modules", "usr/lib/modules")]
    modules = next((place for place in places if place.is_dir()), places[0])
    digest = hashlib.sha256(image.read_bytes()).hexdigest()[:12]
    return Kernel(release, f"{release}-{digest}", image, modules)


def _release(image: Path) -> str:
    """Return what a bzImage says of its version (Documentation/arch/x86/boot.rst, kernel_version)."""
    try:
        with image.open("rb") as file:
            head = file.read(_SETUP)
    except OSError as err:
        raise MachineFault(
            f"no kernel can be read from {image}: {err.strerror}", kind="usage", hint="check the path"
        ) from err
    if head[0x202:0x206] != b"HdrS":
        raise MachineFault(f"{image} is no bzImage", kind="usage", hint="an x86 kernel as in /boot/vmlinuz-*")
    start = int.from_bytes(head[0x20E:0x210], "little") + 0x200
    words = head[start : start + 256].split(b"\0")[0].decode(errors="replace").split()
    return words[0] if words else image.name.removeprefix("vmlinuz-")


def _download(kernels_dir: Path, progress: Callable[[str], None]) -> Kernel:
    package = _newest_package()
    progress(f"downloading {package}")
    with replacing(kernels_dir / package.removeprefix("linux-image-")) as fresh:
        fresh.mkdir()
        debs = fresh / "debs"
        debs.mkdir()
        wanted = [package, *(name for name in _dependencies(package) if name.startswith("linux-modules-"))]
        _fetch(wanted, debs)
        for deb in sorted(debs.iterdir()):
            run(["dpkg", "-x", deb, fresh], doing=f"unpacking {deb.name}")
        name = next(debs.glob("linux-image-*")).name
        shutil.rmtree(debs)
        for unused in ("usr", "boot/System.map-*"):
            for path in fresh.glob(unused):
                if unused != "usr" or not (path / "lib/modules").exists():
                    discard(path)
        (fresh / "package").write_text(name.removesuffix(".deb") + "\n")
    return _describe(kernels_dir / package.removeprefix("linux-image-"))


def _fetch(packages: list[str], into: Path) -> None:
    try:
        # The sandbox user can't write to our directory, and apt warns about that at length.
        run(
            ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages],
            cwd=into,
            doing="downloading",
        )
    except MachineFault as err:
        raise MachineFault(
            f"could not download the guest kernel: {err}",
            kind="host",
            hint="check the network, then run apt-get update and try again",
        ) from err


def _newest_package() -> str:
    for metapackage in _METAPACKAGES:
        images = [name for name in _dependencies(metapackage) if name.startswith("linux-image-")]
        if images:
            return images[0]
    raise MachineFault(
        f"apt knows no guest kernel: no {' or '.join(_METAPACKAGES)}", kind="host", hint="run apt-get update"
    )


def _dependencies(package: str) -> tuple[str, ...]:
    try:
        return concrete(run(["apt-cache", "depends", package], doing=f"looking up {package}"))
    except MachineFault as err:
        if err.kind == "host":
            raise
        return ()


def concrete(listing: str) -> tuple[str, ...]:
    """Return the versioned kernel packages that an `apt-cache depends` listing names, in its order."""
    return tuple(_DEPENDS.findall(listing))


def _describe(directory: Path) -> Kernel:
    image = next((directory / "boot").glob("vmlinuz-*"))
    release = image.name.removeprefix("vmlinuz-")
    places = [directory / "lib/modules" / release, directory / "usr/lib/modules" / release]
    modules = next((place for place in places if place.is_dir()), places[0])
    return Kernel(release, (directory / "package").read_text().strip(), image, modules)
