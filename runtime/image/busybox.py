"""`busybox`: the smallest useful image, from Debian's statically linked busybox."""

import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from runtime.errors import RuntimeFault
from runtime.image.commit import Change, from_layer, now
from runtime.image.image import Image
from runtime.image.layer.compression import Writable
from runtime.image.layer.entry import Directory, Entry, File, Symlink, compose
from runtime.image.seam import storage
from runtime.image.store import Store

NAME = "busybox:latest"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DIRECTORIES = {
    **dict.fromkeys(("bin", "dev", "etc", "home", "lib", "mnt", "proc", "run", "sbin", "sys"), 0o755),
    **dict.fromkeys(("usr", "usr/bin", "usr/sbin", "usr/lib", "var", "var/log", "var/run"), 0o755),
    "root": 0o700,
    "tmp": 0o1777,
    "var/tmp": 0o1777,
}
_TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\ndaemon:x:1:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost\n",
}
_PT_INTERP = 3


def build(store: Store, progress: Callable[[str], None]) -> Image:
    """Make `busybox:latest`. Equal programs give equal images. No static busybox is a `host` fault."""
    program = _find()
    with storage("read busybox", program):
        data, time = program.read_bytes(), int(program.stat().st_mtime)
    progress(f"busybox from {program}")
    entries = _entries(data, _applets(program))
    created = now() if "SOURCE_DATE_EPOCH" in os.environ else datetime.fromtimestamp(time, UTC)

    def write(sink: Writable) -> None:
        compose(entries, sink, mtime=time)

    with store.writing():
        layer = store.add_layer(write)
        config = Change(env={"PATH": _PATH}, cmd=("sh",))
        return from_layer(
            store, layer, NAME, config=config, created=created, created_by="tare image bootstrap busybox"
        )


def _find() -> Path:
    found = shutil.which("busybox", path="/bin:/usr/bin:/sbin:/usr/sbin:" + os.environ.get("PATH", ""))
    if found is None:
        raise _unusable("there is no busybox on this host")
    path = Path(found).resolve()
    with storage("read busybox", path), path.open("rb") as file:
        if not is_static(file.read(1 << 16)):
            raise _unusable(f"{path} is not statically linked, so it can't run in an image of its own")
    return path


def is_static(head: bytes) -> bool:
    """Say whether an ELF program, of which these are the first bytes, needs no dynamic loader."""
    if head[:4] != b"\x7fELF":
        return False
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"  # noqa: PLR2004 - ELFCLASS64, elf(5)
    offset = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    types = [struct.unpack_from(order + "I", head, offset + index * size)[0] for index in range(count)]
    return _PT_INTERP not in types


def _applets(program: Path) -> list[str]:
    listing = subprocess.run(
        [program, "--list-full"], capture_output=True, text=True, check=False, timeout=10
    )
    if listing.returncode != 0 or not listing.stdout:
        raise _unusable(f"{program} --list-full failed: {listing.stderr.strip()}")
    return listing.stdout.split()


def _entries(data: bytes, applets: list[str]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {path: Directory(mode) for path, mode in _DIRECTORIES.items()}
    entries |= {path: File(text.encode()) for path, text in _TEXTS.items()}
    entries["bin/busybox"] = File(data, mode=0o755)
    for applet in applets:
        # Relative, so that the tree means the same to a chroot and to somebody who looks from outside.
        up = "../" * (len(PurePosixPath(applet).parts) - 1)
        entries.setdefault(applet, Symlink(f"{up}bin/busybox"))
        for parent in list(PurePosixPath(applet).parents)[:-1]:
            entries.setdefault(str(parent), Directory())
    return entries


def _unusable(what: str) -> RuntimeFault:
    return RuntimeFault(what, kind="host", hint="install it: apt-get install busybox-static")
