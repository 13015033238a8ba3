"""Which part a process plays, by the program that it calls itself."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.target import Member


def members(pids: Iterable[int], roles: Mapping[str, str], other: str) -> list[Member]:
    """Name each process by the first word of its command line; one that is none of `roles` is `other`."""
    return [Member(pid, roles.get(program(pid), other)) for pid in pids]


def program(pid: int) -> str:
    """Return the last part of a process's own name for its program; empty when it is gone."""
    return words(pid)[0].rpartition("/")[2]


def words(pid: int) -> list[str]:
    """Return a process's command line; one empty word when it is gone or has none."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return [""]
    return raw.decode(errors="replace").rstrip("\0").split("\0")
