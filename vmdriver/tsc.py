"""The frequency of this host's time-stamp counter, for guests that have nothing to calibrate theirs against.

A microvm's ACPI is "hardware-reduced": no PM timer, no HPET, and no timer interrupt but the local APIC's,
which is calibrated by the TSC. Linux calibrates that against the PIT in a busy loop, and gives up if one
round of it takes ten times as long as another (`pit_calibrate_tsc`, arch/x86/kernel/tsc.c). KVM tells its
guests the frequency; under emulation on a busy host, one boot in ten hung there, waiting for a tick.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# rdtsc; shl rdx, 32; or rax, rdx; ret
_CODE = bytes.fromhex("0f31 48c1e220 4809d0 c3")
_SECONDS = 0.05
_CLOSE, _TRIES = 10_000, 50  # nanoseconds between the two readings of the clock; readings


@functools.cache
def frequency_khz() -> int:
    """Return the frequency in kHz, measured against CLOCK_MONOTONIC for 50 ms, once a process.

    QEMU's emulated TSC counts the host's (`cpu_get_host_ticks`). Both clocks are read within a
    microsecond of each other; repeated measurements agree to about 100 parts in a million.
    """
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(_CODE)
        anchor = ctypes.c_char.from_buffer(page)
        read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(anchor))
        try:
            first = _together(read)
            time.sleep(_SECONDS)
            last = _together(read)
        finally:
            del read, anchor  # the page can't be unmapped while something points into it
    return round((last[0] - first[0]) * 1_000_000 / (last[1] - first[1]))


def _together(read: Callable[[], int]) -> tuple[int, int]:
    """Read counter and clock (ns); again, where another process got in between, as long as that helps."""
    found = []
    for _ in range(_TRIES):
        before, ticks, after = time.monotonic_ns(), int(read()), time.monotonic_ns()
        found.append((after - before, ticks, (before + after) // 2))
        if after - before < _CLOSE:
            break
    _, ticks, nanoseconds = min(found)
    return ticks, nanoseconds
