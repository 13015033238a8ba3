"""The library that completes what an old User-mode Linux writes to registers, on a real process."""

import json
import os
import subprocess
import sys

import pytest

from bench.targets import uml, uml_registers
from bench.targets.program import Program

SHORT = 576
"""Bytes of the oldest part of the state, with its header: fewer than any processor with AVX has."""
TRACE = """
import ctypes, json, os, signal, sys
library, plain = ctypes.CDLL(sys.argv[1], use_errno=True), ctypes.CDLL(None, use_errno=True)
for one in (library, plain):
    one.ptrace.restype = ctypes.c_long
    one.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
TRACEME, PEEKUSER, GET, SET, XSTATE, SHORT = 0, 3, 0x4204, 0x4205, 0x202, int(sys.argv[2])
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
pid = os.fork()
if pid == 0:
    plain.ptrace(TRACEME, 0, None, None)
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(0)
os.waitpid(pid, 0)
def call(which, request, buffer):
    vector = Vector(ctypes.addressof(buffer), len(buffer))
    done = which.ptrace(request, pid, XSTATE, ctypes.addressof(vector))
    return done, vector.size
def read():
    buffer = ctypes.create_string_buffer(1 << 16)
    _, size = call(library, GET, buffer)
    return buffer.raw[:size]
before = read()
short = bytearray(before[:SHORT])
short[160:176] = b"tare" * 4  # XMM0
short[512] |= 3  # and say that it is in use
short = ctypes.create_string_buffer(bytes(short), SHORT)
said = {
    "size": len(before), "plain": call(plain, SET, short)[0], "completed": call(library, SET, short)[0],
    "peeked": [one.ptrace(PEEKUSER, pid, 16 * 8, None) for one in (library, plain)],
    "none": [one.ptrace(PEEKUSER, pid, 1 << 20, None) for one in (library, plain)],
}
after = read()
said |= {"written": after[160:176] == b"tare" * 4, "kept": after[SHORT:] == before[SHORT:]}
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
print(json.dumps(said))
"""


def cpu(tmp_path, flags):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\nbugs\t\t:\n\n")
    return file


@pytest.mark.parametrize(
    ("version", "flags", "needed"),
    [
        ("6.1.176", "avx512f amx_tile", True),
        ("6.12.9", "amx_tile", True),
        ("6.13.0", "amx_tile", False),
        ("7.0", "amx_tile", False),
        ("6.1.176", "avx512f", False),
        ("", "amx_tile", True),
    ],
)
def test_it_is_for_old_kernels_on_new_processors(tmp_path, version, flags, needed):
    assert uml_registers.needed(version, cpu(tmp_path, flags)) is needed


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="registers of x86-64")
def test_what_is_written_is_completed_and_the_rest_stays(tmp_path):
    library = uml_registers.library(tmp_path)
    made = library.stat()
    assert uml_registers.library(tmp_path).stat() == made  # compiled once
    assert list((tmp_path / "uml").iterdir()) == [library]
    done = subprocess.run(
        [sys.executable, "-c", TRACE, library, str(SHORT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said = json.loads(done.stdout)
    if said["size"] <= SHORT:
        pytest.skip("this processor has no more state")
    assert (said["plain"], said["completed"]) == (-1, 0)
    assert said["written"]
    assert said["kept"]
    ours, theirs = said["peeked"]
    assert ours == theirs != -1
    assert said["none"] == [-1, -1]


def test_without_a_compiler_the_target_declines_and_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(uml_registers, "COMPILER", Program("no-such-compiler", "gcc"))
    monkeypatch.setattr(uml_registers, "needed", lambda _: True)
    monkeypatch.setattr(uml, "found", lambda _, reason: uml.Availability(available=True, reason=reason))
    drivers = type("Drivers", (), {"data": tmp_path})()
    said = uml.UserModeLinux(drivers).availability()
    assert not said.available
    assert "no-such-compiler is not installed: apt-get install gcc" in said.reason


def test_a_path_that_ld_so_would_split_is_refused(tmp_path):
    with pytest.raises(OSError, match="a space or a colon"):
        uml_registers.library(tmp_path / "my data")
