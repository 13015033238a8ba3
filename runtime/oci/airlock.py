"""The tiny program that stands between this interpreter and the container's program.

A process of the container can reach the file that another one runs through /proc/PID/exe, and a script
that begins with "#!/proc/self/exe" runs it again, from where it can be overwritten once it is idle
(CVE-2019-5736). So the interpreter is never what execs the container's program: it execs a few instructions
in a sealed memory file, and those wait for `start`, then exec. What is within reach is then that file, which
nobody can write. It also makes a created container cost a page or two rather than an interpreter.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.confinement import Confinement

# What every such program ends with, rax being the number of arguments that lie at [rsp+8].
EXEC_X86_64 = """
        mov rdi, [rsp+8]
        lea rsi, [rsp+16]
        lea rdx, [rsp+rax*8+16]
        mov eax, 59
        syscall
        mov edi, 127
        cmp eax, -2
        je leave
failed: mov edi, 126
leave:  mov eax, 231
        syscall
"""

# Entered at 0 it waits for one byte from the descriptor in the immediate at 1 and closes that; entered at _GO
# it does neither. Then execve(argv[0], argv + 1, envp): the path comes first, then the program's own argv. It
# exits with 127 where there is no such file, else with 126. A test assembles it anew and compares.
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
go:     mov rax, [rsp]
"""
    + EXEC_X86_64
)
CODE_X86_64 = bytes.fromhex(
    "bf44332211488d7424f8ba0100000031c00f0583f801752bb8030000000f05488b0424488b7c2408488d742410488d54c410"
    "b83b0000000f05bf7f00000083f8fe7405bf7e000000b8e70000000f05"
)
_GO = 0x1F
_FD = b"\x44\x33\x22\x11"
_BASE, _HEADERS = 0x400000, 64 + 56
_MFD_CLOEXEC, _MFD_ALLOW_SEALING, _MFD_EXEC = 1, 2, 0x10
_ADD_SEALS, _SEAL_ALL = 1033, 15
_MACHINES = {"x86_64": 62}
_MACHINE = os.uname().machine  # once: a personality of 32 bits changes what uname(2) says


def image(waits_on: int | None) -> bytes:
    """Return the program as an ELF file of one segment (elf(5)) that waits on a descriptor, or on nothing.

    OSError ENOSYS on a machine for which there is none.
    """
    if _MACHINE not in _MACHINES:
        raise OSError(errno.ENOSYS, f"there is no airlock for {_MACHINE}")
    code = CODE_X86_64.replace(_FD, struct.pack("<i", -1 if waits_on is None else waits_on))
    return executable(code, _GO if waits_on is None else 0)


def executable(code: bytes, start: int) -> bytes:
    """Return an ELF file of one segment that holds `code` and is entered at the offset `start` in it."""
    entry = _BASE + _HEADERS + start
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    size = _HEADERS + len(code)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", ident, 2, _MACHINES[_MACHINE], 1, entry, 64, 0, 0, 64, 56, 1, 64, 0, 0
    )
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000) + code


def build(waits_on: int | None, confinement: Confinement | None = None) -> int:
    """Return the descriptor of the sealed file; nothing can change it any more.

    With a confinement, the program asks for that before it execs.
    """
    flags = _MFD_CLOEXEC | _MFD_ALLOW_SEALING
    try:
        fd = os.memfd_create("tare-oci", flags | _MFD_EXEC)
    except OSError as err:
        if err.errno != errno.EINVAL:  # MFD_EXEC is known since Linux 6.3; before, all are executable
            raise
        fd = os.memfd_create("tare-oci", flags)
    os.write(fd, confinement.image(waits_on) if confinement else image(waits_on))
    fcntl.fcntl(fd, _ADD_SEALS, _SEAL_ALL)
    return fd


def enter(fd: int, path: str, args: list[str], env: dict[str, str]) -> None:
    """Become the airlock, which becomes the program at `path`; returns only by raising OSError."""
    os.execve(fd, [path, *args], env)  # noqa: S606 - a shell is the last thing wanted here
