"""Kernel modules of an unpacked kernel package: which ones to load, and in which order.

An unpacked package has no `modules.dep` (its post-install script would make it), so the order comes from
the modules themselves: each carries `depends=a,b` in its `.modinfo` section.
"""

from __future__ import annotations

import importlib
import lzma
import re
from typing import TYPE_CHECKING

from vmdriver.errors import MachineFault

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def load_order(modules: Path, names: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """Return (file name, content) of `names` and all that they need, each after what it needs.

    `modules` is the directory `lib/modules/VERSION`. Modules that are built into the kernel are left
    out. Raises MachineFault, kind `missing`, if the kernel has no such module.
    """
    files = {_plain(path.name): path for path in modules.glob("kernel/**/*.ko*")}
    builtin = _builtin(modules)
    order: dict[str, bytes] = {}

    def visit(name: str) -> None:
        if name in order or name in builtin:
            return
        if name not in files:
            raise MachineFault(f"kernel module {name} is not in {modules}", kind="missing")
        content = _content(files[name])
        for needed in depends(content):
            visit(needed)
        order[name] = content

    for name in names:
        visit(name)
    return tuple((f"{name}.ko", content) for name, content in order.items())


def depends(content: bytes) -> tuple[str, ...]:
    """Return the names of the modules that the module with this `content` needs loaded before it."""
    found = _DEPENDS.search(content)
    return tuple(_plain(name) for name in found[1].decode().split(",") if name) if found else ()


def _builtin(modules: Path) -> set[str]:
    listed = modules / "modules.builtin"
    return {_plain(line.rpartition("/")[2]) for line in listed.read_text().splitlines()}


def _plain(name: str) -> str:
    """Name a module as the kernel does: without its suffixes, and with `_` for `-`."""
    return name.partition(".ko")[0].replace("-", "_")


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".zst":
        return bytes(_zstd().decompress(data))
    return data


def _zstd() -> ModuleType:
    """Return the standard library's zstd module, or its backport before Python 3.14."""
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return importlib.import_module("backports.zstd")
