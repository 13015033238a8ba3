"""Seccomp filters: load a BPF program into this process, and fetch the listener of one (seccomp(2)).

`compile` is for the parent, `load` for the child; one that shares its parent's memory has a `Loadable` of it.
"""

from __future__ import annotations

import ctypes
import os
import time

from runtime.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap
    from typing import Any

TSYNC, LOG, SPEC_ALLOW, NEW_LISTENER, TSYNC_ESRCH, WAIT_KILLABLE_RECV = 1, 2, 4, 8, 16, 32
INSTRUCTION, MOST_INSTRUCTIONS = 8, 4096  # bytes of a struct sock_filter; BPF_MAXINSNS
_SECCOMP = {"x86_64": 317, "aarch64": 277, "riscv64": 277}
_PIDFD_GETFD = 438
_SET_MODE_FILTER = 1
_LOADED, _TAKEN = 1, 2


class Filter:
    """A compiled profile.

    `program` is an array of struct sock_filter, `flags` those of seccomp(2), `listener` the socket to which
    the descriptor of a filter with SCMP_ACT_NOTIFY goes (empty without one), and `metadata` goes with it.
    """

    __slots__ = ("flags", "listener", "metadata", "program")

    def __init__(self, program: bytes, flags: int, listener: str = "", metadata: str = "") -> None:
        self.program, self.flags, self.listener, self.metadata = program, flags, listener, metadata

    @property
    def notifies(self) -> bool:
        """Whether loading gives a listener."""
        return bool(self.flags & NEW_LISTENER)


def compile(profile: dict[str, Any], *, cache: str = "") -> Filter:  # noqa: A001 - what it is called
    """Compile the `linux.seccomp` of a config.json (config-linux.md, Seccomp).

    `cache` is a directory that keeps compiled profiles. RuntimeFault names what it can't honour.
    """
    from runtime.linux import seccomp_cache, seccomp_profile  # noqa: PLC0415 - most starts have no profile

    rules = seccomp_profile.parse(profile)
    key = seccomp_profile.key(profile)
    program = seccomp_cache.find(cache, key) if cache else None
    if program is None:
        program = seccomp_profile.build(rules)
        if cache:
            seccomp_cache.keep(cache, key, program)
    return Filter(program, rules.flags, rules.listener, rules.metadata)


class _Program(ctypes.Structure):
    """struct sock_fprog, include/uapi/linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class Loadable:
    """A program where the kernel can take it, as often as is wanted, and the flags of seccomp(2) for it."""

    __slots__ = ("_flags", "_instructions", "_program")

    def __init__(self, program: bytes, flags: int = SPEC_ALLOW) -> None:
        self._flags = flags
        self._instructions = ctypes.create_string_buffer(program, len(program))
        self._program = _Program(len(program) // INSTRUCTION, ctypes.addressof(self._instructions))

    def load(self) -> int:
        """Put this process under the filter for good; returns the listener's descriptor, or 0.

        It needs no_new_privs or CAP_SYS_ADMIN (EACCES); a program that the kernel does not take is EINVAL.
        """
        program = ctypes.byref(self._program)
        return syscalls.numbered("seccomp", _SECCOMP, _SET_MODE_FILTER, self._flags, program)


def load(loaded: Filter) -> int:
    """As `Loadable.load`."""
    return Loadable(loaded.program, loaded.flags).load()


class Handover:
    """Gets a listener's descriptor from the child that loaded the filter into its parent.

    The filter may forbid, or ask about, any system call by which the child could send it. So the child
    writes its number into memory that both share, and the parent fetches it (pidfd_getfd(2)). Make it before
    the fork.
    """

    def __init__(self) -> None:
        import mmap  # noqa: PLC0415 - few containers have a listener

        self._page: mmap.mmap = mmap.mmap(-1, 8)

    def load(self, loaded: Filter) -> None:
        """In the child: load the filter, then do nothing until the parent has the descriptor."""
        fd = load(loaded)
        self._page[4:8] = fd.to_bytes(4, "little")
        self._page[0] = _LOADED
        while self._page[0] != _TAKEN:
            pass  # sleeping would be a system call

    def fetch(self, pidfd: int, patience: float = 10.0) -> int:
        """In the parent: the descriptor, or -1 if the child ended before or took over `patience` seconds."""
        import select  # noqa: PLC0415

        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        deadline = time.monotonic() + patience
        while self._page[0] != _LOADED:
            if ended.poll(1) or time.monotonic() > deadline:  # 1 ms
                return -1
        number = int.from_bytes(self._page[4:8], "little")
        return syscalls.numbered("pidfd_getfd", _PIDFD_GETFD, pidfd, number, 0)

    def release(self) -> None:
        """In the parent: let the child go on, now that somebody listens."""
        self._page[0] = _TAKEN


def send_listener(path: str, fd: int, process_state: bytes) -> None:
    """Send a listener with its container process state to the agent at `path`, one of each a connection.

    Source: config-linux.md, The Container Process State. OSError if nobody takes it.
    """
    import socket  # noqa: PLC0415

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.settimeout(10)
        try:
            agent.connect(path)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fd.to_bytes(4, "little"))]
            sent = agent.sendmsg([process_state], rights)
            agent.sendall(process_state[sent:])
        except OSError as err:
            raise OSError(err.errno or 0, err.strerror or str(err), path) from err


def process_state(state: dict[str, object], pid: int, metadata: str) -> bytes:
    """Return the container process state as JSON: the container's `state`, and whose filter it is."""
    from runtime.process import lean_json  # noqa: PLC0415 - as above

    found = {"ociVersion": state["ociVersion"], "fds": ["seccompFd"], "pid": pid, "state": state}
    return lean_json.dumps(found | ({"metadata": metadata} if metadata else {})).encode()


def supported() -> bool:
    """Whether the kernel has filters."""
    return os.path.exists("/proc/sys/kernel/seccomp/actions_avail")  # noqa: PTH110
