"""Disks to distribute: an image's tree as qcow2, the same after a change of one file, whole and as a delta.

All are made as small as qemu-img makes them: compressed, and a delta with nothing but the clusters that
differ. A registry carries them as KubeVirt's container disks are: a disk is the blob of a layer.
"""

from dataclasses import dataclass
from pathlib import Path

from runtime.image.image import Image
from runtime.image.layer.compression import CHUNK
from runtime.image.manifest import LAYER, ConfigDocument, Descriptor, RootFS
from runtime.image.platform import host_platform
from runtime.image.store import Store
from vmdriver.disk import build_root_disk
from vmdriver.tools import run

QCOW2 = ("-O", "qcow2", "-o", "compression_type=zstd")


@dataclass(frozen=True)
class Disks:
    """Three images of one store, each a stack of disks: the last one boots, on those before it."""

    store: Store
    base: Image
    full: Image
    delta: Image


def make(store: Store, tree: Path, change: dict[str, bytes], place: Path) -> Disks:
    """Make the disks of `tree`, and of it with the files of `change`, in the directory `place`."""
    raw, new = place / "old.raw", place / "new.raw"
    build_root_disk(tree, raw)
    run(["cp", "--sparse=always", raw, new], doing="copying a disk")
    _write(new, change, place)
    old = _kept(store, _compressed(raw, place / "old.qcow2"))
    changed = _compressed(new, place / "new.qcow2")
    # By its digest: the name that the base has beside the delta in every store.
    (place / old.digest.hex).hardlink_to(place / "old.qcow2")
    delta = _kept(store, _delta(changed, old.digest.hex, place))
    return Disks(
        store,
        _image(store, "base", old),
        _image(store, "full", _kept(store, changed)),
        _image(store, "delta", old, delta),
    )


def _write(disk: Path, change: dict[str, bytes], place: Path) -> None:
    """Write files into an ext4 file system without mounting it: debugfs(8)."""
    lines = []
    for number, (path, content) in enumerate(change.items()):
        source = place / f"file-{number}"
        source.write_bytes(content)
        lines.append(f"cd {Path(path).parent}\nwrite {source} {Path(path).name}\n")
    script = place / "script"
    script.write_text("".join(lines))
    run(["debugfs", "-w", "-f", script, disk], doing=f"writing files into {disk.name}")


def _compressed(raw: Path, dest: Path) -> Path:
    run(["qemu-img", "convert", "-c", "-f", "raw", *QCOW2, raw, dest], doing=f"compressing {raw.name}")
    return dest


def _delta(changed: Path, base: str, place: Path) -> Path:
    """Return what differs: an empty disk on the changed one, put onto the base, which copies differences."""
    plain, packed = place / "plain.qcow2", place / "delta.qcow2"
    create: list[str | Path] = [
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        "-b",
        changed,
        plain,
    ]
    run(create, doing="making a delta")
    run(["qemu-img", "rebase", "-f", "qcow2", "-F", "qcow2", "-b", base, plain], doing="making a delta")
    packing = ["qemu-img", "convert", "-c", "-f", "qcow2", "-F", "qcow2", "-B", base, *QCOW2]
    run([*packing, plain, packed], doing="compressing a delta")
    return packed


def _kept(store: Store, disk: Path) -> Descriptor:
    with store.writing(), disk.open("rb") as file, store.blobs.writing() as sink:
        while chunk := file.read(CHUNK):
            sink.write(chunk)
    return Descriptor(media_type=LAYER, digest=sink.digest, size=sink.size)


def _image(store: Store, name: str, *disks: Descriptor) -> Image:
    platform = host_platform()
    content = RootFS(diff_ids=tuple(disk.digest for disk in disks))
    document = ConfigDocument(architecture=platform.architecture, os=platform.os, rootfs=content)
    return store.add_image(document, disks, f"disk/{name}:1")
