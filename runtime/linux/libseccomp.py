"""libseccomp through ctypes: as much as compiling a profile takes (seccomp_init(3) and its like).

The library is loaded by the first use, since most starts find their program in the cache.
"""

from __future__ import annotations

import ctypes
import os

from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_NAME = "libseccomp.so.2"
_ATTRIBUTE_BAD_ARCHITECTURE = 2
_EEXIST = 17
_BEYOND_ALL = 1023  # Linux numbers new calls alike on all architectures, and was at 470 in 2026


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp: argument number, operator, two operands."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_uint),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def library() -> ctypes.CDLL:
    """Load libseccomp; RuntimeFault where there is none."""
    try:
        found = ctypes.CDLL(_NAME)
    except OSError as err:
        hint = "install it, for example with apt-get install libseccomp2"
        raise RuntimeFault(
            f"linux.seccomp needs {_NAME}, which cannot be loaded", kind="host", hint=hint
        ) from err
    found.seccomp_init.restype = ctypes.c_void_p
    found.seccomp_init.argtypes = [ctypes.c_uint32]
    found.seccomp_release.argtypes = [ctypes.c_void_p]
    found.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    found.seccomp_arch_native.restype = ctypes.c_uint32
    found.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    found.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    found.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    found.seccomp_syscall_resolve_num_arch.argtypes = [ctypes.c_uint32, ctypes.c_int]
    found.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    found.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison),
    ]  # fmt: skip
    found.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return found


def version() -> tuple[int, int, int]:
    """Return the version of the library; RuntimeFault where there is none."""
    found = library()
    found.seccomp_version.restype = ctypes.POINTER(ctypes.c_uint * 3)
    major, minor, micro = found.seccomp_version().contents
    return major, minor, micro


class Context:
    """A filter under construction; the native architecture is in it from the start.

    Every method raises OSError with the error number that the library gives.
    """

    def __init__(self, default_action: int) -> None:
        self._lib = library()
        self._ctx = self._lib.seccomp_init(default_action)
        if not self._ctx:
            raise OSError(22, "libseccomp refuses this default action")
        self.architectures = [int(self._lib.seccomp_arch_native())]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lib.seccomp_release(self._ctx)

    def add_architecture(self, name: str) -> None:
        """Let the filter cover `name`, such as x86 or aarch64, also."""
        token = int(self._lib.seccomp_arch_resolve_name(name.encode()))
        if not token:
            raise OSError(22, "libseccomp does not know it")
        result = self._lib.seccomp_arch_add(self._ctx, token)
        if result != -_EEXIST:
            _check(result)
            self.architectures.append(token)

    def bad_architecture(self, action: int) -> None:
        """Set what happens to a system call of an architecture that is not covered."""
        _check(self._lib.seccomp_attr_set(self._ctx, _ATTRIBUTE_BAD_ARCHITECTURE, action))

    def number(self, name: str, architecture: int | None = None) -> int:
        """Return a system call's number on an architecture (default: native).

        It is -1 if the library has no such name; numbers below are its own, for calls that only other
        architectures have.
        """
        token = self.architectures[0] if architecture is None else architecture
        return int(self._lib.seccomp_syscall_resolve_name_arch(token, name.encode()))

    def last_number(self, architecture: int) -> int:
        """Return the highest system call number that the library knows on an architecture."""
        numbers = range(_BEYOND_ALL, 0, -1)
        resolve = self._lib.seccomp_syscall_resolve_num_arch
        return next((number for number in numbers if resolve(architecture, number)), _BEYOND_ALL)

    def add_rule(self, action: int, number: int, comparisons: list[Comparison]) -> None:
        """Act so on system call `number` where all comparisons hold."""
        array = (Comparison * len(comparisons))(*comparisons)
        _check(self._lib.seccomp_rule_add_array(self._ctx, action, number, len(comparisons), array))

    def export(self) -> bytes:
        """Return the filter as an array of struct sock_filter."""
        fd = os.memfd_create("seccomp")
        try:
            _check(self._lib.seccomp_export_bpf(self._ctx, fd))
            return os.pread(fd, os.fstat(fd).st_size, 0)
        finally:
            os.close(fd)


def _check(result: int) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
