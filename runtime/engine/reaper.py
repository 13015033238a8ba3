"""The process 1 of `--init`: it runs the command as its child, passes signals on, and reaps what is orphaned.

A process 1 gets only the signals that it asks for, and the orphans of its container become its children, so
that a command that expects neither can't be stopped and leaves zombies (pid_namespaces(7)). docker puts tini
there.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from runtime.oci import airlock

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/sbin/docker-init"

# Called with an absolute path and the command's words. All signals are blocked and taken one by one, so
# that the handlers, which tell others that signals are heeded, are never called; the child, a process group
# of its own and that of the terminal if there is one, begins with the mask of before. Exits as the command
# did, 128 + n after signal n; with 127 where there is no such file, else with 126. A test assembles it anew
# and compares.
SOURCE_X86_64 = """
_start: mov rbp, rsp
        push -1
        push 0
        push 0
        lea rsi, [rsp+16]
        lea rdx, [rsp+8]
        mov edi, 2
        mov r10d, 8
        mov eax, 14
        syscall
        push 0
        push 0
        push 0
        lea rax, [rip+await]
        push rax
        mov ebx, 64
heed:   mov edi, ebx
        mov rsi, rsp
        xor edx, edx
        mov r10d, 8
        mov eax, 13
        syscall
        dec ebx
        jnz heed
        add rsp, 32
        mov eax, 57
        syscall
        test eax, eax
        js failed
        jz child
        mov r12d, eax
await:  lea rdi, [rsp+16]
        xor esi, esi
        xor edx, edx
        mov r10d, 8
        mov eax, 128
        syscall
        test eax, eax
        jle await
        cmp eax, 17
        je reap
        mov esi, eax
        mov edi, r12d
        mov eax, 62
        syscall
        jmp await
reap:   mov edi, -1
        mov rsi, rsp
        mov edx, 1
        xor r10d, r10d
        mov eax, 61
        syscall
        test eax, eax
        jle await
        cmp eax, r12d
        jne reap
        mov edi, [rsp]
        mov eax, edi
        and eax, 127
        jz exited
        lea edi, [rax+128]
        jmp leave
exited: shr edi, 8
        and edi, 255
leave:  mov eax, 231
        syscall
child:  xor edi, edi
        xor esi, esi
        mov eax, 109
        syscall
        mov eax, 39
        syscall
        mov [rsp], eax
        xor edi, edi
        mov esi, 0x5410
        mov rdx, rsp
        mov eax, 16
        syscall
        mov edi, 2
        lea rsi, [rsp+8]
        xor edx, edx
        mov r10d, 8
        mov eax, 14
        syscall
        mov rax, [rbp]
        mov rdi, [rbp+16]
        lea rsi, [rbp+24]
        lea rdx, [rbp+rax*8+16]
        mov eax, 59
        syscall
        mov edi, 127
        cmp eax, -2
        je leave
failed: mov edi, 126
        jmp leave
"""
CODE_X86_64 = bytes.fromhex(
    "4889e56aff6a006a00488d742410488d542408bf0200000041ba08000000b80e0000000f056a006a006a00488d0536000000"
    "50bb4000000089df4889e631d241ba08000000b80d0000000f05ffcb75e84883c420b8390000000f0585c00f88d500000074"
    "724189c4488d7c241031f631d241ba08000000b8800000000f0585c07ee683f811740e89c64489e7b83e0000000f05ebd3bf"
    "ffffffff4889e6ba010000004531d2b83d0000000f0585c07eb84439e075e08b3c2489f883e07f74088db880000000eb09c1"
    "ef0881e7ff000000b8e70000000f0531ff31f6b86d0000000f05b8270000000f0589042431ffbe105400004889e2b8100000"
    "000f05bf02000000488d74240831d241ba08000000b80e0000000f05488b4500488b7d10488d7518488d54c510b83b000000"
    "0f05bf7f00000083f8fe7498bf7e000000eb91"
)


def write(path: Path) -> None:
    """Write the program to a new file; OSError ENOSYS on a machine for which there is none."""
    if os.uname().machine != "x86_64":
        raise OSError(errno.ENOSYS, "there is no --init for this machine", str(path))
    path.write_bytes(airlock.executable(CODE_X86_64, 0))
    path.chmod(0o755)
