"""The airlock of a process with an AppArmor profile: it asks for the profile, then execs the program.

The kernel applies the profile at the next exec, and the first exec is the airlock's own. Asked for any
earlier, the profile would have to allow the airlock itself, which no other runtime needs. The way to the
process's own `attr` is opened before its root is entered: whatever an image or a volume puts in place of
/proc, there is no way to make it ask in vain (CVE-2019-16884).
"""

# pathlib stays out of the start path:
# ruff: noqa: FBT003

from __future__ import annotations

import os
import struct

from runtime.linux import apparmor
from runtime.oci import airlock

# As airlock.SOURCE_X86_64; entered at _ASK it does not wait. It opens `exec` in the directory behind the
# second immediate, writes the words behind its end, whose length is the third, and closes the directory.
SOURCE_X86_64 = (
    """
_start: mov edi, 0x11223344
        lea rsi, [rsp-8]
        mov edx, 1
        xor eax, eax
        syscall
        cmp eax, 1
        jne failed
        mov eax, 3
        syscall
ask:    mov edi, 0x55667788
        lea rsi, [rip+name]
        mov edx, 0x80001
        mov eax, 257
        syscall
        test eax, eax
        js failed
        mov edi, eax
        lea rsi, [rip+asked]
        mov edx, 0x66778899
        mov eax, 1
        syscall
        cmp eax, edx
        jne failed
        mov edi, 0x55667788
        mov eax, 3
        syscall
        mov rax, [rsp]
"""
    + airlock.EXEC_X86_64
    + """name:   .asciz "exec"
asked:
"""
)
CODE_X86_64 = bytes.fromhex(
    "bf44332211488d7424f8ba0100000031c00f0583f801756cb8030000000f05bf88776655488d3565000000ba01000800b801"
    "0100000f0585c0784989c7488d3551000000ba99887766b8010000000f0539d07530bf88776655b8030000000f05488b0424"
    "488b7c2408488d742410488d54c410b83b0000000f05bf7f00000083f8fe7405bf7e000000b8e70000000f056578656300"
)
_ASK = 0x1F
_FD, _DIRECTORY, _LENGTH = b"\x44\x33\x22\x11", b"\x88\x77\x66\x55", b"\x99\x88\x77\x66"


class Confinement:
    """The profile that a program gets."""

    def __init__(self, profile: str) -> None:
        """Raise a usage fault when the kernel can't apply it."""
        apparmor.check(profile)
        self._word = apparmor.word(profile)
        self._directory = -1

    def open(self) -> None:
        """In the child, before it enters another root: open its own directory."""
        self._directory = os.open(apparmor.directory(), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def image(self, waits_on: int | None) -> bytes:
        """Return the program as an ELF file, as `airlock.image` does."""
        os.set_inheritable(self._directory, True)
        code = CODE_X86_64.replace(_FD, struct.pack("<i", -1 if waits_on is None else waits_on))
        code = code.replace(_DIRECTORY, struct.pack("<i", self._directory))
        code = code.replace(_LENGTH, struct.pack("<i", len(self._word)))
        return airlock.executable(code + self._word, _ASK if waits_on is None else 0)
