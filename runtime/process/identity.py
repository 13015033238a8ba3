"""User, groups and capabilities of a container, taken call by call or by a table made ready once."""

from __future__ import annotations

import os

from runtime.linux import batch, capabilities, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.process.accounts import Account

_PRCTL, _SETGROUPS, _SETRESUID, _SETRESGID, _CAPSET = 157, 116, 117, 119, 126  # x86_64, that has tables
_MOST = 16  # tables that are kept


class Identity:
    """What a process may do and as whom; a table for each that was wanted."""

    __slots__ = ("_last", "_tables")

    def __init__(self) -> None:
        self._last = capabilities.last()
        self._tables: dict[tuple[object, ...], tuple[batch.Batch, list[str]]] = {}

    def take(self, mask: int, account: Account, *, no_new_privileges: bool) -> None:
        """Become `account`, keep no capability but those of `mask`, and with the flag never gain any.

        OSError, of this thread's calls alone (see `vfork`).
        """
        if not batch.possible():
            self._step_by_step(mask, account, no_new_privileges=no_new_privileges)
            return
        key = mask, account.uid, account.gid, *account.groups, no_new_privileges
        if key not in self._tables and len(self._tables) >= _MOST:
            self._tables.clear()
        if key not in self._tables:
            self._tables[key] = self._table(mask, account, no_new_privileges=no_new_privileges)
        table, names = self._tables[key]
        stopped = table.run()
        if stopped != len(names):
            number = table.error(stopped)
            raise OSError(number, os.strerror(number), names[stopped])

    def _step_by_step(self, mask: int, account: Account, *, no_new_privileges: bool) -> None:
        capabilities.bound(self._last, mask)
        syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
        syscalls.setgroups(account.groups)
        syscalls.setids(account.uid, account.gid)
        if account.uid == 0:
            syscalls.capset(mask)
        if no_new_privileges:
            syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)

    def _table(
        self, mask: int, account: Account, *, no_new_privileges: bool
    ) -> tuple[batch.Batch, list[str]]:
        found, names = batch.Batch(), list[str]()

        def call(name: str, number: int, *arguments: batch.Argument) -> None:
            found.call(number, *arguments)
            names.append(name)

        for number in range(self._last + 1):
            if not mask >> number & 1:
                call("prctl", _PRCTL, syscalls.PR_CAPBSET_DROP, number)
        call("prctl", _PRCTL, syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
        call("setgroups", _SETGROUPS, len(account.groups), syscalls.numbers(account.groups))
        call(f"group {account.gid}", _SETRESGID, *[account.gid] * 3)
        call(f"user {account.uid}", _SETRESUID, *[account.uid] * 3)
        if account.uid == 0:  # what another user has is gone with root's
            call("capset", _CAPSET, *syscalls.capability_sets(mask))
        if no_new_privileges:
            call("prctl", _PRCTL, syscalls.PR_SET_NO_NEW_PRIVS, 1)
        found.ready()
        return found, names
