"""The user namespace in which an ordinary user's containers are: the keeper makes it, every command joins it.

Root of the host needs none. The keeper of a user enters a namespace of its own and stays in it; a command
that is to work on containers holds a connection, so that the keeper does not end, and goes where it is
(user_namespaces(7): who made a namespace has every capability in it).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runtime.engine.client import Connection
from runtime.errors import RuntimeFault
from runtime.linux import namespaces, syscalls, userns

if TYPE_CHECKING:
    from runtime.engine.places import Places

_held: list[Connection] = []


def enter(places: Places) -> None:
    """Become root where the containers of these places are; there is no way back. Nothing to do for root.

    The process must have one thread.
    """
    if os.geteuid() == 0:
        return
    connection = Connection(places)
    try:
        fd = os.open(f"/proc/{connection.keeper}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(fd, namespaces.flags("user"))
        finally:
            os.close(fd)
    except OSError as err:
        raise RuntimeFault.from_os(err, f"join the keeper (process {connection.keeper})") from err
    _held.append(connection)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    if userns.maps_many():
        os.setgroups([])
