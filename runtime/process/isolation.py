"""How a child leaves its maker's session and namespaces, call by call or by a table made ready once."""

from __future__ import annotations

import ctypes
import os
import struct

from runtime.linux import batch, namespaces, syscalls

_CLOSE, _IOCTL, _SOCKET, _SETSID, _SETHOSTNAME, _UNSHARE = 3, 16, 41, 112, 170, 272  # x86_64, that has tables
_INET, _DATAGRAM, _CLOEXEC, _SIOCSIFFLAGS, _UP = 2, 2, os.O_CLOEXEC, 0x8914, 1
_LOOPBACK = struct.pack("16sh22x", b"lo", _UP)  # struct ifreq; what else it has, only the kernel can change
_LONGEST = 256  # bytes of a host name, of which the kernel takes 64
_NAMED = "host name"
_MOST = 16  # tables that are kept


class Isolation:
    """A table for each set of namespaces that was wanted."""

    __slots__ = ("_name", "_tables")

    def __init__(self) -> None:
        self._name = (ctypes.c_char * _LONGEST)()
        self._tables: dict[tuple[int, bool, bool], tuple[batch.Batch, list[str]]] = {}

    def begin(self, flags: int, *, loopback: bool, hostname: str) -> None:
        """Lead a session, enter new namespaces, raise `lo` and name the host; OSError tells what failed."""
        name = os.fsencode(hostname)
        if not batch.possible() or len(name) >= _LONGEST:
            self._step_by_step(flags, loopback=loopback, hostname=hostname)
            return
        key = flags, loopback, bool(name)
        if key not in self._tables and len(self._tables) >= _MOST:
            self._tables.clear()
        if key not in self._tables:
            self._tables[key] = self._table(flags, loopback=loopback, named=bool(name))
        table, names = self._tables[key]
        if name:
            self._name.value = name
            table.give(len(names) - 1, 1, len(name))
        stopped = table.run()
        if stopped != len(names):
            number, what = table.error(stopped), names[stopped]
            raise OSError(number, os.strerror(number), f"{what} {hostname}" if what == _NAMED else what)

    def _step_by_step(self, flags: int, *, loopback: bool, hostname: str) -> None:
        os.setsid()
        if flags:
            syscalls.unshare(flags)
        if loopback:
            namespaces.raise_loopback()
        if hostname:
            syscalls.sethostname(hostname)

    def _table(self, flags: int, *, loopback: bool, named: bool) -> tuple[batch.Batch, list[str]]:
        found, names = batch.Batch(), ["setsid"]
        found.call(_SETSID)
        if flags:
            found.call(_UNSHARE, flags)
            names.append("unshare")
        if loopback:
            found.call(_SOCKET, _INET, _DATAGRAM | _CLOEXEC, 0, handed_on=True)
            found.call(_IOCTL, -1, _SIOCSIFFLAGS, _LOOPBACK)
            found.call(_CLOSE, -1)
            names += ["lo"] * 3
        if named:
            found.call(_SETHOSTNAME, self._name, 0)
            names.append(_NAMED)
        found.ready()
        return found, names
