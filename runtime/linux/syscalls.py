"""One thin wrapper per system call that Python 3.11 lacks; each raises OSError(errno, text, object).

Imports nothing of ours, so that the process that forks stays small. System calls since Linux 5.1 have one
number on every architecture; of the older ones there is a table.
"""

from __future__ import annotations

import ctypes
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# PyDLL, not CDLL: a call through CDLL drops the GIL, and a child of clone would have to take it again from a
# thread that does not exist on its side.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# All five, since prctl(2) reads them by va_arg: the conversion in C costs a third of five objects in Python.
_libc.mount.argtypes = [*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p]
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]

# Prototypes of their own for what a start calls most often.
_move, _tree = _libc["syscall"], _libc["syscall"]
_tree.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_long]
_move.argtypes = [*_tree.argtypes, ctypes.c_char_p, ctypes.c_long]
_configure = _libc["syscall"]
_configure.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_ulong, *[ctypes.c_char_p] * 2, ctypes.c_long]
_alter = _libc["syscall"]
_alter.argtypes = [*_tree.argtypes, ctypes.c_void_p, ctypes.c_long]

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
_CAPSET = {"x86_64": 126, "aarch64": 91, "riscv64": 91}
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _CLONE3, _CLOSE_RANGE = (
    428,
    429,
    430,
    431,
    432,
    435,
    436,
)

_OPENAT2, _MOUNT_SETATTR = 437, 442

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS = 0x01, 0x02, 0x04
RESOLVE_BENEATH, RESOLVE_IN_ROOT = 0x08, 0x10
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE = 1, os.O_CLOEXEC, 0x8000
MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_SYMLINKS, MOVE_MOUNT_T_EMPTY_PATH = 4, 0x10, 0x40
_MOVE_FLAGS = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE = 0, 1, 6
CLONE_PIDFD, CLONE_INTO_CGROUP = 0x1000, 0x200000000
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 1, 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_SIGCHLD = 17
_SIG_SETMASK = 2
PR_SET_DUMPABLE = 4


def _fail(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)


def _syscall(what: str, number: int, *args: object) -> int:
    # A bare int would be passed as a 32-bit int with an undefined upper half.
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    result = int(_libc.syscall(ctypes.c_long(number), *wide))
    if result < 0:
        raise _fail(what)
    return result


_MACHINE = os.uname().machine  # once: a personality of 32 bits changes what uname(2) says


def _per_machine(table: dict[str, int], name: str) -> int:
    if _MACHINE not in table:
        raise OSError(errno.ENOSYS, f"{name} has no known number on {_MACHINE}")
    return table[_MACHINE]


class _CloneArgs(ctypes.Structure):
    """struct clone_args, version 2 (88 bytes), include/uapi/linux/sched.h."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in ("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls",
                     "set_tid", "set_tid_size", "cgroup")
    )  # fmt: skip


def clone3(flags: int, *, cgroup: int | None = None, stack: tuple[int, int] | None = None) -> tuple[int, int]:
    """Fork with namespaces: (pid, pidfd) in the parent, (0, -1) in the child.

    `cgroup` is the descriptor of a cgroup v2 directory in which the child is born (Linux 5.7), `stack` the
    address and the size of what the child runs on; without, on a copy of the caller's.
    """
    pidfd = ctypes.c_int(-1)
    # A sibling (CLONE_PARENT, 0x8000) takes the exit signal of its maker, and may not be given one.
    signal = 0 if flags & 0x8000 else _SIGCHLD
    args = _CloneArgs(flags=flags | CLONE_PIDFD, pidfd=ctypes.addressof(pidfd), exit_signal=signal)
    if cgroup is not None:
        args.flags |= CLONE_INTO_CGROUP
        args.cgroup = cgroup
    if stack is not None:
        args.stack, args.stack_size = stack
    pid = _syscall("clone3", _CLONE3, ctypes.byref(args), ctypes.sizeof(args))
    return pid, pidfd.value if pid else -1


def unshare(flags: int) -> None:
    """Move the caller into new namespaces (`os.unshare` needs Python 3.12)."""
    if _libc.unshare(flags) < 0:
        raise _fail("unshare")


def setns(fd: int, flags: int) -> None:
    """Join the namespace behind `fd` (`os.setns` needs Python 3.12)."""
    if _libc.setns(fd, flags) < 0:
        raise _fail("setns")


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """Mount; empty `fstype` and `data` are passed as NULL."""
    words = source.encode(), os.fsencode(target), fstype.encode() or None
    if _libc.mount(*words, flags, data.encode() or None) < 0:
        raise _fail(target)


def try_mount(
    source: bytes | None, target: bytes, fstype: bytes | None, flags: int, data: bytes | None
) -> int:
    """Mount, where a failure is an answer: 0, or an errno."""
    return ctypes.get_errno() if _libc.mount(source, target, fstype, flags, data) < 0 else 0


def try_readonly(target: bytes) -> int:
    """Make the mount at `target` read-only and change nothing else (Linux 5.12): 0, or an errno."""
    if _alter(_MOUNT_SETATTR, AT_FDCWD, target, 0, _READONLY, _ATTR_SIZE) < 0:
        return ctypes.get_errno()
    return 0


def umount(target: str, flags: int = 0) -> None:
    """Unmount."""
    if _libc.umount2(os.fsencode(target), flags) < 0:
        raise _fail(target)


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root; the old root moves to `old`, which may be the same (NOTES of its manual page)."""
    _syscall(new, _per_machine(_PIVOT_ROOT, "pivot_root"), os.fsencode(new), os.fsencode(old))


def open_tree_flags(*, recursive: bool) -> int:
    """Return the flags by which `open_tree` makes a detached copy."""
    return OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (AT_RECURSIVE if recursive else 0)


def open_tree(path: str | bytes, *, recursive: bool) -> int:
    """Descriptor of a detached copy of the mount at `path`: a bind mount that has no place yet."""
    fd: int = _tree(_OPEN_TREE, AT_FDCWD, os.fsencode(path), open_tree_flags(recursive=recursive))
    if fd < 0:
        raise _fail(os.fsdecode(path))
    return fd


def move_mount(fd: int, target: str | bytes) -> None:
    """Attach the detached mount `fd` at `target`, where links are followed, as mount(2) does."""
    if _move(_MOVE_MOUNT, fd, b"", AT_FDCWD, os.fsencode(target), _MOVE_FLAGS) < 0:
        raise _fail(os.fsdecode(target))


def fsopen(fstype: str) -> int:
    """Return the configuration descriptor of a new file system."""
    return _syscall(fstype, _FSOPEN, fstype.encode(), 1)


def fsconfig(fd: int, command: int, key: bytes | None = None, value: bytes | None = None) -> None:
    """One step of configuring `fd`. The kernel refuses a value of 256 bytes or more."""
    if _configure(_FSCONFIG, fd, command, key, value, 0) < 0:
        raise _fail(os.fsdecode(value or key or b"fsconfig"))


def fsmount(fd: int, attributes: int) -> int:
    """Detached mount of the file system configured through `fd`."""
    return _syscall("fsmount", _FSMOUNT, fd, 1, attributes)


def prctl(option: int, argument: int = 0, third: int = 0) -> int:
    """Control this process (see PR_SET_ above)."""
    result = int(_libc.prctl(option, argument, third, 0, 0))
    if result < 0:
        raise _fail(f"prctl {option}")
    return result


def cloexec_from(first: int) -> None:
    """Mark every descriptor from `first` on as close-on-exec (Linux 5.11), so that an exec leaks none."""
    _syscall("close_range", _CLOSE_RANGE, first, 0xFFFFFFFF, 4)


def capability_sets(
    permitted: int, inheritable: int = 0, *, effective: int | None = None
) -> tuple[ctypes.Array[ctypes.c_uint32], ctypes.Array[ctypes.c_uint32]]:
    """Return these bit masks as capset(2), version 3, takes them; effective is permitted by default."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    low, high = permitted & 0xFFFFFFFF, permitted >> 32
    in_low, in_high = inheritable & 0xFFFFFFFF, inheritable >> 32
    raised = permitted if effective is None else effective
    return header, (ctypes.c_uint32 * 6)(raised & 0xFFFFFFFF, low, in_low, raised >> 32, high, in_high)


def capset(permitted: int, inheritable: int = 0, *, effective: int | None = None) -> None:
    """Set the sets to these bit masks; effective is what is permitted unless told (capset(2))."""
    header, data = capability_sets(permitted, inheritable, effective=effective)
    _syscall("capset", _per_machine(_CAPSET, "capset"), ctypes.byref(header), ctypes.byref(data))


class _OpenHow(ctypes.Structure):
    """struct open_how, include/uapi/linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def openat2(dirfd: int, path: str, flags: int, resolve: int) -> int:
    """Open `path` below `dirfd` under the rules `resolve` (RESOLVE_ above; Linux 5.6)."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    return _syscall(path, _OPENAT2, dirfd, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))


def clone_mount(fd: int, *, recursive: bool) -> int:
    """Like `open_tree`, of the very place that `fd` stands for: no path is resolved again."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    return _syscall("open_tree", _OPEN_TREE, fd, b"", flags)


def move_mount_to(fd: int, target: int) -> None:
    """Attach the detached mount `fd` at the very place that the descriptor `target` stands for."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    _syscall("move_mount", _MOVE_MOUNT, fd, b"", target, b"", flags)


class _MountAttr(ctypes.Structure):
    """struct mount_attr, include/uapi/linux/mount.h."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns_fd"))


_sealed = _MountAttr(1, 0, 0, 0)  # MOUNT_ATTR_RDONLY
_READONLY, _ATTR_SIZE = ctypes.addressof(_sealed), ctypes.sizeof(_sealed)


def mount_setattr(
    fd: int, *, set_: int = 0, clear: int = 0, propagation: int = 0, userns: int = -1, recursive: bool = False
) -> None:
    """Change the attributes (MOUNT_ATTR_*, MS_SHARED and its like) of the mount of `fd` (Linux 5.12)."""
    attr = _MountAttr(set_, clear, propagation, userns if userns >= 0 else 0)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    _syscall("mount_setattr", _MOUNT_SETATTR, fd, b"", flags, ctypes.byref(attr), ctypes.sizeof(attr))


def filesystem_magic(fd: int) -> int:
    """Type of the file system that `fd` lies on, as in linux/magic.h (statfs(2), f_type)."""
    answer = (ctypes.c_long * 32)()  # 120 bytes on 64-bit machines; f_type is the first word
    if _libc.fstatfs(fd, ctypes.byref(answer)) < 0:
        raise _fail("fstatfs")
    return int(answer[0])


_libc.execve.argtypes = [ctypes.c_void_p] * 3


def execve(path: int, argv: int, envp: int) -> int:
    """Become another program, by the addresses of C strings and of arrays of them; errno when it fails."""
    _libc.execve(path, argv, envp)
    return ctypes.get_errno()


_SETGROUPS = {"x86_64": 116, "aarch64": 159, "riscv64": 159}
_SETRESGID = {"x86_64": 119, "aarch64": 149, "riscv64": 149}
_SETRESUID = {"x86_64": 117, "aarch64": 147, "riscv64": 147}


def setgroups(groups: list[int]) -> None:
    """Change the supplementary groups of the calling thread alone (see `vfork`)."""
    _syscall("setgroups", _per_machine(_SETGROUPS, "setgroups"), len(groups), numbers(groups))


def numbers(groups: list[int]) -> ctypes.Array[ctypes.c_uint32]:
    """Return group ids as the kernel takes them."""
    return (ctypes.c_uint32 * len(groups))(*groups)


def setids(uid: int, gid: int) -> None:
    """Change group and user, real, effective and saved, of the calling thread alone."""
    _syscall(f"group {gid}", _per_machine(_SETRESGID, "setresgid"), gid, gid, gid)
    _syscall(f"user {uid}", _per_machine(_SETRESUID, "setresuid"), uid, uid, uid)


def default_signals(numbers: Iterable[int] = range(1, 65)) -> None:
    """Give signals their default action and block none; over exec, what is ignored or blocked stays so."""
    for number in numbers:
        _libc.signal(number, None)  # fails for SIGKILL, SIGSTOP and the two of the C library, as it should
    empty = (ctypes.c_ulong * 16)()
    if _libc.sigprocmask(_SIG_SETMASK, ctypes.byref(empty), None) < 0:
        raise _fail("sigprocmask")


def sethostname(name: str) -> None:
    """Set the host name of the caller's uts namespace (`socket.sethostname`, without the socket module)."""
    encoded = os.fsencode(name)
    if _libc.sethostname(encoded, ctypes.c_size_t(len(encoded))) < 0:
        raise _fail(f"host name {name}")


def setdomainname(name: str) -> None:
    """Set the NIS domain name of the caller's uts namespace."""
    encoded = os.fsencode(name)
    if _libc.setdomainname(encoded, ctypes.c_size_t(len(encoded))) < 0:
        raise _fail(f"domain name {name}")


def numbered(name: str, number: int | dict[str, int], *args: object) -> int:
    """System call `name` by its number, which may be a table by machine; OSError names the call.

    For the modules that own a call which nothing else uses.
    """
    return _syscall(name, number if isinstance(number, int) else _per_machine(number, name), *args)
