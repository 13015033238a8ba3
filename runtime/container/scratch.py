"""A directory for the time of a run, that a prune finds when its owner was killed."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.linux.processes import alive, start_time
from runtime.process.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = re.compile(r"(\d+)-(\d+)-[0-9a-f]+")


@contextmanager
def scratch(data: Path) -> Iterator[Path]:
    """Make an empty directory below `data`, on its file system and so no memory, and remove it at the end.

    Anybody may write to it, as to /tmp. Its name says whose it is: `prune` removes those of the dead.
    """
    pid = os.getpid()
    path = data / "scratch" / f"{pid}-{start_time(pid)}-{secrets.token_hex(4)}"
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    path.mkdir()
    try:
        path.chmod(0o1777)
        yield path
    finally:
        remove_tree(str(path))


def prune(data: Path) -> list[str]:
    """Remove the directories of dead owners and return their names; RuntimeFault when the host refuses."""
    parent, removed = data / "scratch", []
    for path in sorted(parent.iterdir()) if parent.is_dir() else ():
        named = _NAME.fullmatch(path.name)
        if named and not alive(int(named[1]), int(named[2])):
            try:
                remove_tree(str(path))
            except OSError as err:
                raise RuntimeFault.from_os(err, f"prune {path}") from err
            removed.append(path.name)
    return removed
