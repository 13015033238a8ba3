"""Which variables of its environment a process looks up: a result can depend on these, and on no others.

`record` puts a recording mapping in the place of `os.environ` and `os.environb`, so that whatever reads from
there is seen, the standard library and other people's modules too. What C code reads for itself (the dynamic
linker, the C library, the interpreter, before a line of Python ran) is not; `OF_C` are the beginnings of
those names. This module imports nothing but `os`: a rebuild's first milliseconds go through it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import AnyStr

# HOME is where `site` finds a user's own modules, PATH where the interpreter finds itself.
# A test sees to it that C code asks for no others.
OF_C = (
    "GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "HOME", "HOSTALIASES", "LANG", "LC_", "LD_", "LOCALDOMAIN",
    "LOCPATH", "MALLOC_", "NIS_PATH", "NLSPATH", "OPENSSL_", "PATH", "PYTHON", "RANDFILE",
    "RESOLV_HOST_CONF", "RES_OPTIONS", "SSL_", "TZ", "__PYVENV_LAUNCHER__",
)  # fmt: skip


class Lookups:
    """What was looked up so far, whether it was there or not; `before` is the environment as it began."""

    def __init__(self) -> None:
        self.before = dict(os.environ)
        self.names: set[str] = set()
        self.whole = False  # all of it was read, as for a child


def record() -> Lookups:
    """Record all look-ups of this process from now on, those in its threads too."""
    lookups = Lookups()
    os.environ = _recording(os.environ, lookups)  # noqa: B003 - it has the same variables
    os.environb = _recording(os.environb, lookups)
    return lookups


def shown(name: str, default: str = "") -> str:
    """Return a variable that only decides how something looks on a terminal: no look-up."""
    return inherited().get(name, default)


def inherited() -> Mapping[str, str]:
    """Return what a child is given, unrecorded: for one whose results are kept, and not made again."""
    return os.environ.unrecorded if isinstance(os.environ, _Recording) else os.environ


class _Recording(os._Environ):  # type: ignore[type-arg]  # noqa: SLF001 - what os.environ is
    """An environment, str or bytes, that tells what is read of it; changes go where they went before."""

    lookups: Lookups
    unrecorded: Mapping[str, str]

    def __getitem__(self, key: AnyStr) -> AnyStr:
        self.lookups.names.add(os.fsdecode(key))
        found: AnyStr = super().__getitem__(key)
        return found

    def __iter__(self) -> Iterator[AnyStr]:
        self.lookups.whole = True
        return super().__iter__()

    def __len__(self) -> int:
        self.lookups.whole = True
        return super().__len__()

    def __repr__(self) -> str:
        self.lookups.whole = True
        return super().__repr__()


def _recording(plain: os._Environ[AnyStr], lookups: Lookups) -> _Recording:
    found = _Recording.__new__(_Recording)
    found.__dict__.update(plain.__dict__)  # the same variables and the same ways of coding them
    found.lookups = lookups
    found.unrecorded = os.environ if plain is os.environ else {}
    return found
