"""ADD of archives: unpacked on the side, then laid out like the files of another root."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.builder.archive import extract, is_archive
from runtime.builder.selection import select
from runtime.builder.tree import RootContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.builder.context import Context
    from runtime.builder.graph import CopyContext, Placing
    from runtime.builder.placing import Layout
    from runtime.builder.selection import Selection


class Archives:
    """Unpacks below a directory that `place` makes when the first archive is met."""

    def __init__(self, place: Callable[[], Path]) -> None:
        self._place = place

    def copy(self, operation: CopyContext, selection: Selection, context: Context, layout: Layout) -> None:
        """Lay a selection out; of what is named itself, archives are unpacked if the operation says so."""
        files = []
        for taken in selection.taken:
            if operation.unpack and taken.named and taken.entry.kind == "file":
                path = f"/proc/self/fd/{(descriptor := context.open(taken.entry))}"
                try:
                    if self.unpacked(operation, Path(path), taken.entry.path, layout):
                        continue
                finally:
                    os.close(descriptor)
            files.append(taken)
        if files or not selection.taken:
            layout.copy(operation, replace(selection, taken=tuple(files)), context)

    def unpacked(self, operation: Placing, path: Path, name: str, layout: Layout) -> bool:
        """Lay out what is in an archive, with its owners and modes; returns whether it is one."""
        with path.open("rb") as file:
            if not is_archive(file):
                return False
            root = Path(tempfile.mkdtemp(dir=self._place()))
            root.chmod(0o755)
            extract(file, root, name=name)
        context = RootContext((root,))
        found = select(context, ("/",), f"{operation.destination}/")
        layout.copy(replace(operation, mode=""), found, context, over=True)
        return True
