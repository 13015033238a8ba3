"""System calls that follow each other without the interpreter between them.

Of what a container's start does beyond the kernel's own work most is Python that goes from one call to the
next, cold, since other programs ran before it. So calls that are known beforehand lie ready in a table, and a
few instructions make them, one after the other. What can't be decided by the number of an error is left to
the caller: the table stops there.
"""

from __future__ import annotations

import ctypes
import os

from runtime.linux.code import place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Argument = int | bytes | ctypes.Array[Any]

# Called with the address of an entry; returns that of the one at which it stopped. An entry, in words of 8
# bytes: number (negative: stop), five arguments, what the kernel returned, and how many bytes to go on by:
# after a success; after the error in the word that follows; after the error in the next but one. With a last
# word that is not zero, what was returned becomes the first argument of the next two. A test assembles it
# anew and compares.
SOURCE_X86_64 = """
run:    push rbx
        mov rbx, rdi
next:   mov rax, [rbx]
        test rax, rax
        js stop
        mov rdi, [rbx+8]
        mov rsi, [rbx+16]
        mov rdx, [rbx+24]
        mov r10, [rbx+32]
        mov r8, [rbx+40]
        syscall
        mov [rbx+48], rax
        mov rcx, [rbx+56]
        test rax, rax
        jns good
        mov rcx, [rbx+72]
        cmp rax, [rbx+64]
        je step
        mov rcx, [rbx+88]
        cmp rax, [rbx+80]
        jne stop
step:   add rbx, rcx
        jmp next
stop:   mov rax, rbx
        pop rbx
        ret
good:   cmp qword ptr [rbx+96], 0
        je step
        mov [rbx+112], rax
        mov [rbx+216], rax
        jmp step
"""
CODE_X86_64 = bytes.fromhex(
    "534889fb488b034885c0783c488b7b08488b7310488b53184c8b53204c8b43280f0548894330488b4b384885c0791e488b4b"
    "48483b4340740a488b4b58483b435075054801cbebbc4889d85bc348837b600074ef48894370488983d8000000ebe2"
)
_POSSIBLE = os.uname().machine == "x86_64"
_WORDS = 13
_ENTRY, _STOP, _RESULT, _MOST_ARGUMENTS, _MOST_ERRORS = _WORDS * 8, -1, 6, 5, 2
_Function = ctypes.PYFUNCTYPE(ctypes.c_size_t, ctypes.c_size_t)
_made: list[ctypes._FuncPointer] = []


def possible() -> bool:
    """Whether there are such instructions for this machine."""
    return _POSSIBLE


class Batch:
    """A table of calls, filled once and run any number of times; not by two threads at once.

    `number` arguments are integers or bytes, which end with a zero byte in memory as C strings do.
    """

    def __init__(self) -> None:
        self._words: list[int] = []
        self._kept: list[object] = []
        self._table = (ctypes.c_int64 * 0)()
        self._base = 0

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._words) // _WORDS

    def call(
        self, number: int, *arguments: Argument,
        ahead: int = 1, errors: Mapping[int, int] | None = None, handed_on: bool = False,
    ) -> int:  # fmt: skip
        """Add a call; returns its place.

        After it the table goes on `ahead` entries further, or as many as `errors`, of two numbers at most,
        has for its failure; it stops at any other. What it returns is `handed_on` to the next two, as the
        first argument of each.
        """
        words = [self._word(one) for one in arguments]
        ways = [(-number, step * _ENTRY) for number, step in (errors or {}).items()]
        ways += [(0, 0)] * (_MOST_ERRORS - len(ways))
        words += [0] * (_MOST_ARGUMENTS - len(words))
        self._words += [number, *words, 0, ahead * _ENTRY, *ways[0], *ways[1], int(handed_on)]
        return len(self) - 1

    def stop(self) -> int:
        """Add a place at which it stops; returns that."""
        self._words += [_STOP, *[0] * (_WORDS - 1)]
        return len(self) - 1

    def give(self, entry: int, argument: int, value: int) -> None:
        """Change an argument of an entry: an integer that is known only now."""
        self._table[entry * _WORDS + 1 + argument] = value

    def ready(self) -> None:
        """Finish the table; OSError where memory can't be made executable."""
        self.stop()
        self._table = (ctypes.c_int64 * len(self._words))(*self._words)
        self._base = ctypes.addressof(self._table)
        if not _made:
            _made.append(_Function(place(CODE_X86_64)))

    def run(self, entry: int = 0) -> int:
        """Make the calls from an entry on; returns where it stopped: at the last, all have been made."""
        stopped: int = _made[0](self._base + entry * _ENTRY)
        return (stopped - self._base) // _ENTRY

    def result(self, entry: int) -> int:
        """Return what the call of an entry has returned."""
        return self._table[entry * _WORDS + _RESULT]

    def error(self, entry: int) -> int:
        """Return the number of the error at which it stopped there."""
        return -self.result(entry)

    def _word(self, argument: Argument) -> int:
        if isinstance(argument, int):
            return argument
        self._kept.append(argument)
        if isinstance(argument, bytes):
            return ctypes.cast(ctypes.c_char_p(argument), ctypes.c_void_p).value or 0
        return ctypes.addressof(argument)
