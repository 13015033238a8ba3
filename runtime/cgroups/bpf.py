"""bpf(2), as far as device control needs it: load a program, attach it to a cgroup in place of an older one.

Attributes are laid out as in union bpf_attr of include/uapi/linux/bpf.h. Imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH, _PROG_GET_FD_BY_ID, _PROG_QUERY = 5, 8, 9, 13, 16
_CGROUP_DEVICE_PROGRAM, _CGROUP_DEVICE_HOOK = 15, 6
_ALLOW_MULTI = 2  # programs of the ancestors go on to be asked
_MOST_ATTACHED = 64  # BPF_CGROUP_MAX_PROGS


def replace(directory: str, program: bytes) -> None:
    """Let `program` decide about devices in the v2 cgroup; what was attached to it before no longer does."""
    group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        before = _attached(group, directory)
        loaded = _load(program, directory)
        try:
            _bpf(
                _PROG_ATTACH, struct.pack("=4I", group, loaded, _CGROUP_DEVICE_HOOK, _ALLOW_MULTI), directory
            )
        finally:
            os.close(loaded)
        for number in before:
            _detach(group, number, directory)
    finally:
        os.close(group)


def count(directory: str) -> int:
    """How many programs decide about devices in this cgroup itself."""
    group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return len(_attached(group, directory))
    finally:
        os.close(group)


def _attached(group: int, what: str) -> list[int]:
    ids = (ctypes.c_uint32 * _MOST_ATTACHED)()
    query = struct.pack("=4IQI4x", group, _CGROUP_DEVICE_HOOK, 0, 0, ctypes.addressof(ids), _MOST_ATTACHED)
    answer = ctypes.create_string_buffer(query, len(query))
    _call(_PROG_QUERY, answer, what)
    found = struct.unpack_from("=I", answer.raw, 24)[0]
    return list(ids[:found])


def _detach(group: int, number: int, what: str) -> None:
    fd = _bpf(_PROG_GET_FD_BY_ID, struct.pack("=3I", number, 0, 0), what)
    try:
        _bpf(_PROG_DETACH, struct.pack("=4I", group, fd, _CGROUP_DEVICE_HOOK, 0), what)
    finally:
        os.close(fd)


def _load(program: bytes, what: str) -> int:
    code, license_ = (
        ctypes.create_string_buffer(program, len(program)),
        ctypes.create_string_buffer(b"Apache-2.0"),
    )
    attributes = struct.pack(
        "=2I2Q2IQ2I", _CGROUP_DEVICE_PROGRAM, len(program) // 8, ctypes.addressof(code),
        ctypes.addressof(license_), 0, 0, 0, 0, 0,
    )  # fmt: skip
    try:
        return _bpf(_PROG_LOAD, attributes, what)
    except PermissionError:  # before Linux 5.11 a program was charged to RLIMIT_MEMLOCK
        import resource  # noqa: PLC0415 - on old kernels only

        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return _bpf(_PROG_LOAD, attributes, what)


def _bpf(command: int, attributes: bytes, what: str) -> int:
    return _call(command, ctypes.create_string_buffer(attributes, len(attributes)), what)


def _call(command: int, attributes: ctypes.Array[ctypes.c_char], what: str) -> int:
    machine = os.uname().machine
    if machine not in _BPF:
        raise OSError(errno.ENOSYS, f"bpf has no known number on {machine}", what)
    numbers = (ctypes.c_long(n) for n in (_BPF[machine], command))
    result = int(_libc.syscall(*numbers, ctypes.byref(attributes), ctypes.c_long(len(attributes))))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result
