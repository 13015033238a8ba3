"""The pids controller: how many processes and threads a cgroup may hold; the same files on v1 and v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.cgroups.figures import number

if TYPE_CHECKING:
    from pathlib import Path


def limit(directory: str, most: int) -> list[tuple[str, ...]]:
    """Return steps that refuse the fork after `most` processes and threads (EAGAIN)."""
    return [("write", f"{directory}/pids.max", str(most))]


def read(directory: Path) -> int:
    """Count processes and threads in the cgroup now."""
    return number(directory / "pids.current") or 0
