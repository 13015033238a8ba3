"""A session keyring of its own for each container (keyrings(7), session-keyring(7)).

Without one its processes share the keyring of whoever started the runtime, keys and all.
"""

from __future__ import annotations

import errno

from runtime.linux import syscalls

_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219}
_JOIN_SESSION_KEYRING, _SETPERM = 1, 5
# keyctl_setperm(3): all to the possessor; view, read, search and link to the user, so that the container's
# user finds a key also after a change of user.
_PERMISSIONS = 0x3F000000 | 0x010000 | 0x020000 | 0x080000 | 0x100000


def join(identity: str) -> None:
    """Give this process a new session keyring, named after the container.

    A kernel without keyrings, or a filter above that forbids the call, leaves nothing to share either; EDQUOT
    (keys(7): 200 keys an ordinary user) is an error, to be avoided with --no-new-keyring.
    """
    try:
        name = f"_ses.{identity}".encode()
        keyring = syscalls.numbered("keyctl", _KEYCTL, _JOIN_SESSION_KEYRING, name)
        syscalls.numbered("keyctl", _KEYCTL, _SETPERM, keyring, _PERMISSIONS)
    except OSError as err:
        if err.errno not in {errno.ENOSYS, errno.EPERM}:
            raise
