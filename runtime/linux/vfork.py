"""A child that works in its maker's memory until its exec, as vfork(2) and posix_spawn(3) have it.

A fork of an interpreter copies its page tables, and then page after page as either side touches them: of a
container's start that is a quarter. Here the kernel suspends the calling thread, and the child runs Python on
a stack of its own in the same memory (CLONE_VM | CLONE_VFORK). What that asks of the caller:

- The thread ends soon afterwards: an exec leaves frames of the child on its state, which end with it.
- A child that is killed before its exec may leave the interpreter in the midst of anything, so `spawn` ends
  the process then, or a fault does. The caller is a process that can be spared, and has called
  `end_at_a_fault`.
- Where the C library makes all threads of a process follow (setuid(2), C library/kernel differences), the
  child uses the system call itself.
- Descriptors are the child's own, objects are not: it closes numbers, never Python's files.
- The child enters no namespace in which somebody else lives, who could read this memory through it.
"""

from __future__ import annotations

import ctypes
import os

from runtime.linux import syscalls
from runtime.linux.code import place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TORN = 70  # exit status of a process whose memory a killed child has left behind (EX_SOFTWARE)
_CLONE_VM, _CLONE_VFORK, _CLONE_PARENT, _SIGCHLD = 0x100, 0x4000, 0x8000, 17
_WORD = 8
_FIRST = 32 << 10  # bytes of a stack, of which a start takes fewer

_libc = ctypes.PyDLL(None, use_errno=True)
_call = ctypes.cast(ctypes.pythonapi.PyObject_CallNoArgs, ctypes.c_void_p)
_libc.clone.argtypes = [
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p,
    ctypes.c_void_p,
]  # fmt: skip
_libc.pthread_self.restype = ctypes.c_void_p
_libc.pthread_getattr_np.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
_libc.pthread_attr_getstack.argtypes = [ctypes.c_void_p] * 3
_Entry = ctypes.PYFUNCTYPE(None)
FAULTS = frozenset((4, 6, 7, 8, 11))  # SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV
_libc.signal.argtypes, _libc.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p


def end_at_a_fault(instead: int | None = None) -> None:
    """Make this process end without a word, a core or a line in the kernel's log when it faults.

    A child may be killed while another thread could have run: then the interpreter faults, on the first thing
    that it looks at, before `spawn` comes to end the process. Those signals must not be blocked. `instead` is
    the address of what is to be done, such as a `leap`.
    """
    handler = ctypes.cast(_libc._exit, ctypes.c_void_p) if instead is None else instead  # noqa: SLF001
    for number in FAULTS:
        _libc.signal(number, handler)


def leap(path: int, argv: int, envp: int, unless: int | None = None) -> int:
    """Return the address of code that becomes another program (execve(2) with these), for x86_64.

    It can be a signal's handler: it needs nothing of the interpreter, whose locks a killed child may have
    held. With `unless`, the address of a byte, it returns where that byte is not zero. OSError where memory
    can't be made executable.
    """
    code = b""
    if unless is not None:  # mov rax, unless; cmp byte [rax], 0; je +1; ret
        code += b"\x48\xb8" + unless.to_bytes(8, "little") + bytes.fromhex("803800 7401 c3")
    words = [word.to_bytes(8, "little") for word in (path, argv, envp)]
    code += b"\x48\xbf%b\x48\xbe%b\x48\xba%b" % tuple(words)  # mov rdi, rsi, rdx
    code += bytes.fromhex("b83b000000 0f05")  # mov eax, execve; syscall
    code += bytes.fromhex("bf46000000 b8e7000000 0f05")  # exit_group(TORN)
    return place(code)


def handle(number: int, address: int | None) -> None:
    """Make the code at `address` the handler of a signal; None is the default action."""
    _libc.signal(number, address)


class Stack:
    """The lower half of the calling thread's stack, which the thread, while suspended, does not need.

    Not memory of its own: since 3.14 the interpreter holds the stack pointer against the thread's bounds.
    """

    def __init__(self) -> None:
        attributes = (ctypes.c_uint64 * 16)()  # pthread_attr_t has 56 bytes, on some machines 64
        base, size = ctypes.c_size_t(), ctypes.c_size_t()
        failed = _libc.pthread_getattr_np(_libc.pthread_self(), attributes)
        if failed:
            raise OSError(failed, os.strerror(failed), "pthread_getattr_np")
        _libc.pthread_attr_getstack(attributes, ctypes.byref(base), ctypes.byref(size))
        _libc.pthread_attr_destroy(attributes)
        self.base, self.size = base.value, size.value // 2 & ~0xFFF

    def touch(self) -> None:
        """Have the pages that a child uses first there beforehand: a thread's end gives them back."""
        ctypes.memset(self.top - _FIRST, 0, _FIRST)

    @property
    def top(self) -> int:
        """The first address above it, a multiple of 16."""
        return self.base + self.size


def spawn(
    stack: Stack,
    flags: int,
    child: Callable[[], None],
    settled: Callable[[], bool],
    *,
    cgroup: int | None = None,
    torn: Callable[[], None] = lambda: os._exit(TORN),
) -> tuple[int, int]:
    """Run `child`, which never returns, in a new process made with `flags`: (pid, pidfd), once it has exec'd.

    `settled` tells, of a child that has ended or exec'd, whether it came to its exec or to a report of its
    own; if not, `torn` has to end this process. `cgroup` is the descriptor of a cgroup v2 directory in which
    the child is born. Where no way is known to have both that and the maker's memory, the child gets a copy,
    and this returns at once.
    """
    if cgroup is not None and os.uname().machine != "x86_64":
        return _copying(flags, child, cgroup)
    made = _clone(stack, flags, child) if cgroup is None else _clone_into(stack, flags, child, cgroup)
    if not settled():
        torn()
    return made


def _clone(stack: Stack, flags: int, child: Callable[[], None]) -> tuple[int, int]:
    pidfd = ctypes.c_int(-1)
    flags |= _CLONE_VM | _CLONE_VFORK | syscalls.CLONE_PIDFD | (0 if flags & _CLONE_PARENT else _SIGCHLD)
    pid = _libc.clone(_call, stack.top, flags, child, ctypes.addressof(pidfd), None, None)
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "clone")
    return pid, pidfd.value


def _clone_into(stack: Stack, flags: int, child: Callable[[], None], cgroup: int) -> tuple[int, int]:
    # The C library has no clone3 for us, and its clone can't take a cgroup. But its syscall(2) ends with a
    # plain return, which in the child takes its address from the new stack: there lies the entry.
    entry = _Entry(child)
    words = (ctypes.c_void_p * 2).from_address(stack.top - 2 * _WORD)
    words[0] = ctypes.cast(entry, ctypes.c_void_p).value
    flags |= _CLONE_VM | _CLONE_VFORK
    return syscalls.clone3(flags, cgroup=cgroup, stack=(stack.base, stack.size - 2 * _WORD))


def _copying(flags: int, child: Callable[[], None], cgroup: int) -> tuple[int, int]:
    pid, pidfd = syscalls.clone3(flags, cgroup=cgroup)
    if pid == 0:
        child()
    return pid, pidfd
