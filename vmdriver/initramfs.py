"""Initramfs images: an image's tree, then our early init, as two concatenated cpio archives."""

from __future__ import annotations

import hashlib
import shutil
import struct
from pathlib import Path
from typing import IO, TYPE_CHECKING

from vmdriver import early_init
from vmdriver.cpio import CpioWriter
from vmdriver.errors import MachineFault
from vmdriver.files import once
from vmdriver.modules import load_order
from vmdriver.tools import lacking

if TYPE_CHECKING:
    from vmdriver.kernel import Kernel
    from vmdriver.spec import Channel, Flavour

_PT_INTERP = 3  # elf(5)
_FORMAT = "1"  # part of the key: raise it when the layout changes


def in_memory(
    data: Path, tree: Path, key: str, *, port: int, kernel: Kernel | None = None, channel: Channel = "serial"
) -> Path:
    """Return an initramfs that holds the whole of `tree`, built once per `key` (the image's digest).

    A `channel` other than the serial port needs modules, which are those of `kernel`.
    """
    names = early_init.modules("vm", channel, disk=False)
    modules = load_order(kernel.modules, names) if kernel and names else ()
    key = f"{key} {kernel.package}" if kernel and modules else key
    return _build(data, early_init.script(port, disk=False, channel=channel), modules, tree, key)


def for_probe(data: Path, *, port: int) -> Path:
    """Return an initramfs that says `init` and switches the machine off: the least that proves a boot."""
    return _build(data, early_init.probe_script(port), (), None, "probe")


def for_disk(data: Path, kernel: Kernel, flavour: Flavour, *, port: int, channel: Channel = "serial") -> Path:
    """Return a small initramfs that loads the disk's modules, mounts the first disk and runs its agent."""
    modules = load_order(kernel.modules, early_init.modules(flavour, channel, disk=True))
    return _build(data, early_init.script(port, disk=True, channel=channel), modules, None, kernel.package)


def static_busybox() -> Path:
    """Return the host's statically linked busybox. Raises MachineFault, kind `host`, if there is none."""
    found = shutil.which("busybox")
    if not found:
        raise lacking("busybox")
    if is_dynamic(Path(found).read_bytes()):
        raise MachineFault(
            f"{found} is linked dynamically; a guest has no libraries yet when it runs",
            kind="host",
            hint="apt-get install busybox-static",
        )
    return Path(found)


def is_dynamic(program: bytes) -> bool:
    """Tell whether a 64-bit ELF `program` asks for an interpreter (a PT_INTERP program header)."""
    start, size, count = struct.unpack_from("<Q", program, 32)[0], *struct.unpack_from("<HH", program, 54)
    return any(
        struct.unpack_from("<I", program, start + index * size)[0] == _PT_INTERP for index in range(count)
    )


def _build(
    data: Path, script: bytes, modules: tuple[tuple[str, bytes], ...], tree: Path | None, key: str
) -> Path:
    busybox = static_busybox().read_bytes()
    digest = hashlib.sha256(b"\0".join([_FORMAT.encode(), key.encode(), script, busybox])).hexdigest()
    path = data / "vm/initramfs" / f"{digest[:32]}.cpio"
    with once(path) as fresh:
        if fresh:
            with fresh.open("wb") as out:
                _write(out, script, busybox, modules, tree)
    return path


def _write(
    out: IO[bytes], script: bytes, busybox: bytes, modules: tuple[tuple[str, bytes], ...], tree: Path | None
) -> None:
    if tree:
        image = CpioWriter(out)
        image.tree(tree)
        image.close()
    # Later archives win over earlier ones, so an image can't take the place of our first program.
    ours = CpioWriter(out)
    home = early_init.HOME
    for directory in ("dev", home, f"{home}/modules", f"{home}/root"):
        ours.directory(directory)
    ours.device("dev/console", 5, 1)
    ours.device("dev/null", 1, 3, 0o666)
    ours.device("dev/ttyS0", 4, 64)
    ours.device("dev/ttyS1", 4, 65)
    ours.file(f"{home}/busybox", busybox, 0o755)
    ours.file(f"{home}/init", script, 0o755)
    for position, (name, content) in enumerate(modules):
        ours.file(f"{home}/modules/{position:02}-{name}", content)
    ours.close()
