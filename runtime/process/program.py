"""What a child executes, as the C library takes it: made before, so that nothing is left over afterwards."""

from __future__ import annotations

import ctypes
import errno
import os

_PATH = "/usr/bin:/bin"


class Program:
    """Arguments, environment, and the paths to try; belongs to one who outlives the exec.

    Whatever a frame refers to when its exec succeeds is never given back, since the starter goes on in the
    same memory; so the child gets by with the addresses in `calls`.
    """

    def __init__(self, args: list[str], env: dict[str, str]) -> None:
        self.name = args[0]
        self._argv, self._envp = _strings(args), _strings([f"{key}={value}" for key, value in env.items()])
        self._paths = [ctypes.create_string_buffer(os.fsencode(path)) for path in _candidates(args[0], env)]
        words = ctypes.addressof(self._argv), ctypes.addressof(self._envp)
        self.calls = [(ctypes.addressof(path), *words) for path in self._paths]


def _candidates(name: str, env: dict[str, str]) -> list[str]:
    """Name the places that a shell would try."""
    if "/" in name:
        return [name]
    return [f"{directory or '.'}/{name}" for directory in env.get("PATH", _PATH).split(":")]


def _strings(texts: list[str]) -> ctypes.Array[ctypes.c_char_p]:
    encoded = [os.fsencode(text) for text in texts]
    if any(b"\0" in text for text in encoded):
        raise ValueError("a zero byte in an argument or in the environment")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def worse(failure: int, number: int) -> int:
    """Keep the error that says more: EACCES outlives ENOENT, since it means that something was found."""
    return failure if number in {errno.ENOENT, errno.ENOTDIR} else number or failure


def final(number: int) -> bool:
    """Whether no other place needs to be tried."""
    return number not in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}
