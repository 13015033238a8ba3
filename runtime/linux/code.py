"""Machine code of ours in this process's memory."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.PyDLL(None, use_errno=True)
_PAGE, _READ_WRITE, _READ_EXECUTE, _PRIVATE_ANONYMOUS, _FAILED = 4096, 3, 5, 0x22, (1 << 64) - 1
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.mmap.restype = ctypes.c_void_p
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def place(code: bytes) -> int:
    """Return the address of a page that holds `code`, never writable and executable at once.

    OSError where memory can't be made executable.
    """
    page: int | None = _libc.mmap(None, _PAGE, _READ_WRITE, _PRIVATE_ANONYMOUS, -1, 0)
    if page is None or page == _FAILED:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "mmap")
    ctypes.memmove(page, code, len(code))
    if _libc.mprotect(page, _PAGE, _READ_EXECUTE) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "mprotect")
    return page
