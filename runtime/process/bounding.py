"""The bounding set of a container's capabilities, given up call by call or by a table made ready once."""

from __future__ import annotations

import os

from runtime.linux import batch, capabilities, syscalls

_PRCTL = 157  # x86_64, the only machine with tables


class Bounding:
    """What it takes to keep no more than a mask of capabilities; a table for each mask that was wanted."""

    __slots__ = ("_last", "_tables")

    def __init__(self) -> None:
        self._last = capabilities.last()
        self._tables: dict[int, batch.Batch] = {}

    def keep(self, mask: int) -> None:
        """Drop every other one from the bounding set, and all ambient ones."""
        if not batch.possible():
            capabilities.bound(self._last, mask)
            syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
            return
        table = self._tables.get(mask)
        if table is None:
            table = self._tables[mask] = self._table(mask)
        stopped = table.run()
        if stopped != len(table) - 1:
            number = table.error(stopped)
            raise OSError(number, os.strerror(number), "prctl")

    def _table(self, mask: int) -> batch.Batch:
        found = batch.Batch()
        for number in range(self._last + 1):
            if not mask >> number & 1:
                found.call(_PRCTL, syscalls.PR_CAPBSET_DROP, number)
        found.call(_PRCTL, syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
        found.ready()
        return found
