"""Whether root is root: in a user namespace, uid 0 may be an ordinary user (user_namespaces(7))."""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

import os

_EVERYBODY = [b"0", b"0", b"4294967295"]


def initial() -> bool:
    """Whether this process is in the host's user namespace, or in one that maps every id to itself."""
    try:
        with open("/proc/self/uid_map", "rb", buffering=0) as file:
            return file.read().split() == _EVERYBODY
    except FileNotFoundError:  # a kernel without user namespaces
        return True


def maps_many() -> bool:
    """Whether this process's user namespace knows more than one user, so that a file can be given away."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return sum(int(size) for size in file.read().split()[2::3]) > 1
    except FileNotFoundError:
        return True


def privileged() -> bool:
    """Whether this process is the host's root."""
    return os.geteuid() == 0 and initial()
