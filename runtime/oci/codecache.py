"""The code of all modules that a verb imports, in one file, run in one go.

Importing sixty modules one by one is a quarter of a container's start: each is looked for, opened, checked
and entered by code in Python. Here they lie in one file beside the others that Python keeps (`__pycache__`,
PEP 3147), in two parts. What a verb needs whatever it is asked is in the order in which it was complete, so
that each finds what it imports, and is run at once. What some starts need (a limit's module, hooks, seccomp)
is found there when it is imported. Code counts as long as its source has the time and the size that it was
compiled from, which is how Python judges its own. Otherwise all is imported as ever, and written for the next
time (`runtime.oci.coderecord`); where that can't be, nothing is lost.
As under `-OO`, the code is without docstrings and assertions. Of an extension module (`_ctypes`) the file has
only where it is, so that no directory is searched for it.
"""

# pathlib stays out of the start path, and so does __future__, with its search:
# ruff: noqa: PTH116, PTH123

import _imp
import gc
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ExtensionFileLoader, ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any

    # name, source, time (ns), size, is it a package, code; the last is None of an extension
    Entry = tuple[str, str, int, int, bool, CodeType | None]
    LateEntry = tuple[str, str, int, int, bool, bytes | None]  # marshalled, until it is imported

FREQUENT = frozenset(("run", "create", "start", "state", "kill", "delete", "exec"))  # verbs that have a file
_LARGEST = 8 << 20  # bytes
_FIELDS = 6  # of an entry
_UNCOLLECTED = 100_000  # new objects
_Spec = type(sys.__spec__)


def begin(words: list[str]) -> "Callable[[], None]":
    """Have the modules of the verb among the arguments from its file.

    Returns what is to be done at the end, when it is known which modules the verb needs.
    """
    # A run makes no cycles worth collecting while it lasts some milliseconds. Not switched off: in the
    # foreground it may relay a terminal for days.
    gc.set_threshold(_UNCOLLECTED)
    verb = next((word for word in words if word in FREQUENT), "")
    file = path(verb)
    known = load(file) if verb else None
    if known:
        return lambda: _extend(file, known)
    if not verb:
        return lambda: None
    recorder = alone("coderecord").Recorder()
    return lambda: recorder.save(file, origin(), f"runtime.oci.verbs.{verb}")


def _extend(file: str, known: "Late") -> None:
    if known.missed:
        alone("coderecord").extend(file, origin(), known)


def alone(own: str) -> "Any":  # noqa: ANN401 - a module
    """Import a module of this package without the package."""
    from _frozen_importlib_external import SourceFileLoader  # noqa: PLC0415

    name, source = f"runtime.oci.{own}", f"{__file__.rpartition('/')[0]}/{own}.py"
    made = sys.modules[name] = type(sys)(name)
    made.__file__ = source
    exec(SourceFileLoader(name, source).get_code(name), vars(made))  # type: ignore[arg-type]  # noqa: S102
    return made


def path(verb: str) -> str:
    """Return the file of a verb, for this version of Python."""
    return f"{__file__.rpartition('/')[0]}/__pycache__/{verb}.{sys.implementation.cache_tag}.codes"


def origin() -> tuple[int, int]:
    """Return what tells this tree from a copy of it: in a copied file everything is where it was."""
    own = os.stat(__file__)
    return own.st_dev, own.st_ino


def load(file: str) -> "Late | None":
    """Import what comes at once in `file`, and have the rest found there, from now on.

    None, and nothing is imported, when the file is missing, damaged or stale.
    """
    entries, late = _read(file)
    if not entries or not all(map(_current, entries)):
        return None
    finder = Late(entries, late)
    sys.meta_path.insert(0, finder)
    for name, source, _, _, is_package, code in entries:
        if name in sys.modules:
            continue
        if code is None:
            _define_extension(name, source)
        else:
            _define(name, source, code, is_package=is_package)
    return finder


class Late:
    """A finder, first in `sys.meta_path`, of what comes late; `missed` are the names that it did not know."""

    def __init__(self, entries: "list[Entry]", late: "list[LateEntry]") -> None:
        self.entries, self.late = entries, {entry[0]: entry for entry in late}
        self.missed: list[str] = []

    def find_spec(self, name: str, *_rest: object) -> "ModuleSpec | None":
        """Find it in the file; None for whatever is not there, or stale, which the others find."""
        entry = self.late.get(name)
        if entry is None or not _current(entry):
            if name not in sys.builtin_module_names:
                self.missed.append(name)
            return None
        _, source, _, _, is_package, code = entry
        if code is None:
            return _extension(name, source)
        spec = _Spec(name, _Loader(source, code), origin=source, is_package=is_package)  # type: ignore[arg-type]
        if is_package:
            spec.submodule_search_locations = [source.rpartition("/")[0]]
        return spec


class _Loader:
    """Of one module, whose code is here."""

    def __init__(self, source: str, code: bytes) -> None:
        self._source, self._code = source, code

    def create_module(self, _: "ModuleSpec") -> None:
        """Leave it to the import system."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the code."""
        module.__file__ = self._source
        exec(marshal.loads(self._code), vars(module))  # noqa: S102, S302 - as import does with any .pyc


def _define(name: str, source: str, code: "CodeType", *, is_package: bool) -> None:
    made = sys.modules[name] = type(sys)(name)
    parent, _, own = name.rpartition(".")
    made.__file__, made.__package__ = source, name if is_package else parent
    if is_package:
        made.__path__ = [source.rpartition("/")[0]]
    exec(code, vars(made))  # noqa: S102 - as import does
    if parent:
        setattr(sys.modules[parent], own, made)


def _define_extension(name: str, source: str) -> None:
    spec = _extension(name, source)
    loader: ExtensionFileLoader = spec.loader  # type: ignore[assignment]
    made = sys.modules[name] = loader.create_module(spec)
    made.__spec__, made.__loader__, made.__file__ = spec, loader, source
    made.__package__ = name.rpartition(".")[0]
    loader.exec_module(made)


def _extension(name: str, source: str) -> "ModuleSpec":
    from _frozen_importlib_external import ExtensionFileLoader  # noqa: PLC0415

    return _Spec(name, ExtensionFileLoader(name, source), origin=source)


def _read(file: str) -> "tuple[list[Entry], list[LateEntry]]":
    try:
        with open(file, "rb", buffering=0) as opened:
            place, entries, late = marshal.loads(opened.read(_LARGEST))  # noqa: S302 - as trusted as any .pyc
        sound = place == origin() and all(len(entry) == _FIELDS for entry in (*entries, *late))
    except (OSError, EOFError, ValueError, TypeError):
        return [], []
    return (entries, late) if sound else ([], [])


def _current(entry: "Entry | LateEntry") -> bool:
    try:
        now = os.stat(entry[1])
    except (OSError, TypeError, IndexError):
        return False
    return now.st_mtime_ns == entry[2] and now.st_size == entry[3] and (entry[5] is not None or _ours(entry))


def _ours(entry: "Entry | LateEntry") -> bool:
    """Whether an extension is one of this build of the interpreter's: others have the same `cache_tag`."""
    file, own = entry[1].rpartition("/")[2], entry[0].rpartition(".")[2]
    return any(file == own + suffix for suffix in _imp.extension_suffixes())
