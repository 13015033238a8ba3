"""Write the file of a verb's code (`runtime.oci.codecache`): the first time, and when a start needed more."""

# pathlib stays out of the start path:
# ruff: noqa: PTH105, PTH108, PTH116, PTH123

from __future__ import annotations

import marshal
import os
import sys
from itertools import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from runtime.oci.codecache import Entry, Late, LateEntry

_LOADERS = frozenset(("SourceFileLoader", "ExtensionFileLoader"))


class Recorder:
    """A finder, first in `sys.meta_path`, that notes modules in the order in which they are complete."""

    def __init__(self) -> None:
        self._complete: list[ModuleSpec] = []
        self._parts: list[ModuleSpec] = []
        self._others = list(sys.meta_path)
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, where: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ANN401
        """Find what the others find; of what comes from a file, the loader is accompanied."""
        for finder in self._others:
            spec = finder.find_spec(name, where, target)
            if spec is not None:
                if type(spec.loader).__name__ in _LOADERS:
                    spec.loader = _Accompanied(spec.loader, self._complete, self._parts)  # type: ignore[assignment]
                return spec
        return None

    def save(self, file: str, origin: tuple[int, int], last: str) -> None:
        """Write what was noted: what was complete up to the module `last` comes at once, the rest late."""
        names = [spec.name for spec in self._complete]
        size = names.index(last) + 1 if last in names else 0
        at_once, late = self._complete[:size], [*self._complete[size:], *self._parts]
        _write(file, origin, map(_entry, at_once), map(_late, late))


class _Accompanied:
    """A loader that notes when a module is complete."""

    def __init__(self, loader: Any, complete: list[ModuleSpec], parts: list[ModuleSpec]) -> None:  # noqa: ANN401
        self.loader, self._complete, self._parts = loader, complete, parts

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        found: ModuleType | None = self.loader.create_module(spec)
        return found

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        spec = module.__spec__
        if spec:
            # A package that imports a part of itself, such as ctypes, has to be begun before that part.
            above = getattr(sys.modules.get(spec.name.rpartition(".")[0]), "__spec__", None)
            (self._parts if getattr(above, "_initializing", False) else self._complete).append(spec)


def extend(file: str, origin: tuple[int, int], known: Late) -> None:
    """Write what is known and what it missed, where that came from a file."""
    specs = [getattr(sys.modules.get(name), "__spec__", None) for name in known.missed]
    new = [spec for spec in specs if spec and type(spec.loader).__name__ in _LOADERS]
    if new:
        others = [entry for name, entry in known.late.items() if name not in known.missed]
        _write(file, origin, known.entries, chain(others, map(_late, new)))


def _write(file: str, origin: tuple[int, int], entries: Iterable[Entry], late: Iterable[LateEntry]) -> None:
    """Write it in one step, for its owner alone to change; nothing happens where that fails."""
    draft = f"{file}.{os.getpid()}"
    try:
        # Before anything is compiled in vain. The mode is that of a .pyc: no umask makes it anybody's.
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as opened:
            opened.write(marshal.dumps((origin, list(entries), list(late))))
        os.replace(draft, file)
    except (OSError, SyntaxError, ValueError):
        _drop(draft)


def _late(spec: ModuleSpec) -> LateEntry:
    name, source, time, size, is_package, code = _entry(spec)
    return name, source, time, size, is_package, marshal.dumps(code) if code else None


def _entry(spec: ModuleSpec) -> Entry:
    source = str(spec.origin)
    before = os.stat(source)
    loader = getattr(spec.loader, "loader", spec.loader)
    if type(loader).__name__ == "ExtensionFileLoader":
        return spec.name, source, before.st_mtime_ns, before.st_size, False, None
    with open(source, "rb") as file:
        code = compile(file.read(), source, "exec", dont_inherit=True, optimize=2)
    is_package = spec.submodule_search_locations is not None
    return spec.name, source, before.st_mtime_ns, before.st_size, is_package, code


def _drop(draft: str) -> None:
    try:
        os.unlink(draft)
    except OSError:
        return
