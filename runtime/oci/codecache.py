"""The code of all modules that a verb imports, in one file, run in one go.

Importing sixty modules one by one is a quarter of a container's start: each is looked for, opened, checked
and entered by code in Python. Here they lie in one file beside the others that Python keeps (`__pycache__`,
PEP 3147), in the order in which they were complete, so that each finds what it imports. They count as long as
every source has the time and the size that its code was compiled from, which is how Python judges its own.
Otherwise all is imported as ever, and written for the next time; where that can't be, nothing is lost.
As under `-OO`, the code is without docstrings and assertions. Of an extension module (`_ctypes`) the file has
only where it is, so that no directory is searched for it.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH105, PTH108, PTH116, PTH123

from __future__ import annotations

import _imp
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any

    # name, source, time (ns), size, is it a package, code (of an extension: None)
    Entry = tuple[str, str, int, int, bool, CodeType | None]

_LARGEST = 8 << 20  # bytes
_LOADERS = frozenset(("SourceFileLoader", "ExtensionFileLoader"))


def path(verb: str) -> str:
    """Return the file of a verb, for this version of Python; none for no verb."""
    return verb and f"{__file__.rpartition('/')[0]}/__pycache__/{verb}.{sys.implementation.cache_tag}.codes"


def load(file: str) -> bool:
    """Import what is in `file`; False, and nothing is imported, when that is missing, damaged or stale."""
    entries = _read(file)
    if not entries or not all(map(_current, entries)):
        return False
    for name, source, _, _, is_package, code in entries:
        if name in sys.modules:
            continue
        if code is None:
            _extend(name, source)
        else:
            _define(name, source, code, is_package=is_package)
    return True


def _define(name: str, source: str, code: CodeType, *, is_package: bool) -> None:
    made = sys.modules[name] = type(sys)(name)
    parent, _, own = name.rpartition(".")
    made.__file__, made.__package__ = source, name if is_package else parent
    if is_package:
        made.__path__ = [source.rpartition("/")[0]]
    exec(code, vars(made))  # noqa: S102 - as import does
    if parent:
        setattr(sys.modules[parent], own, made)


def _extend(name: str, source: str) -> None:
    from _frozen_importlib import ModuleSpec  # noqa: PLC0415
    from _frozen_importlib_external import ExtensionFileLoader  # noqa: PLC0415

    loader = ExtensionFileLoader(name, source)
    spec = ModuleSpec(name, loader, origin=source)
    made = sys.modules[name] = loader.create_module(spec)
    made.__spec__, made.__loader__, made.__file__ = spec, loader, source
    made.__package__ = name.rpartition(".")[0]
    loader.exec_module(made)


def _read(file: str) -> list[Entry]:
    try:
        with open(file, "rb", buffering=0) as opened:
            found: object = marshal.loads(opened.read(_LARGEST))  # noqa: S302 - as trusted as any .pyc
    except (OSError, EOFError, ValueError, TypeError):
        return []
    return found if isinstance(found, list) else []


def _current(entry: Entry) -> bool:
    try:
        now = os.stat(entry[1])
    except (OSError, TypeError, IndexError):
        return False
    return now.st_mtime_ns == entry[2] and now.st_size == entry[3] and (entry[5] is not None or _ours(entry))


def _ours(entry: Entry) -> bool:
    """Whether an extension is one of this build of the interpreter's: others have the same `cache_tag`."""
    file, own = entry[1].rpartition("/")[2], entry[0].rpartition(".")[2]
    return any(file == own + suffix for suffix in _imp.extension_suffixes())


class Recorder:
    """A finder, first in `sys.meta_path`, that notes modules in the order in which they are complete."""

    def __init__(self) -> None:
        self._complete: list[ModuleSpec] = []
        self._others = list(sys.meta_path)
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, where: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ANN401
        """Find what the others find; of what comes from a source file, the loader is accompanied."""
        for finder in self._others:
            spec = finder.find_spec(name, where, target)
            if spec is not None:
                if type(spec.loader).__name__ in _LOADERS:
                    spec.loader = _Accompanied(spec.loader, self._complete)  # type: ignore[assignment]
                return spec
        return None

    def save(self, file: str) -> None:
        """Write what was noted, in one step; nothing happens where that fails."""
        draft = f"{file}.{os.getpid()}"
        try:
            entries = [_entry(spec) for spec in self._complete]
            with open(draft, "wb") as opened:
                opened.write(marshal.dumps(entries))
            os.replace(draft, file)
        except (OSError, SyntaxError):
            _drop(draft)


class _Accompanied:
    """A loader that notes when a module is complete."""

    def __init__(self, loader: Any, complete: list[ModuleSpec]) -> None:  # noqa: ANN401
        self.loader, self._complete = loader, complete

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        found: ModuleType | None = self.loader.create_module(spec)
        return found

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        spec = module.__spec__
        # A package that imports a part of itself, such as ctypes, has to be begun before that part.
        if spec and not getattr(
            getattr(sys.modules.get(spec.name.rpartition(".")[0]), "__spec__", None), "_initializing", False
        ):
            self._complete.append(spec)


def _entry(spec: ModuleSpec) -> Entry:
    source = str(spec.origin)
    before = os.stat(source)
    if type(spec.loader.loader).__name__ == "ExtensionFileLoader":  # type: ignore[union-attr]
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
