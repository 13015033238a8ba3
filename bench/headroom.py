"""Memory that is at hand, so that the time of filling it is not that of getting it from a hypervisor.

A host that is itself a guest can hand its free pages back (free page reporting, VIRTIO 1.2, section 5.5.6.7).
The next to use them waits for the hypervisor to find others. Which size meets such pages depends on what ran
before it, which is nobody's property.
"""

from __future__ import annotations

import mmap

import psutil

HUGE_PAGE = 2**21
SHARE = 2  # of what is available, so that what is cached stays so
_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE of linux/mman.h, since Linux 5.14; Python has no name for it


def provide(size: int) -> int:
    """Use `size` bytes of memory and free them, for who asks next; return the bytes that were used.

    At most half of the memory that is available. In huge pages, where the kernel has them: the page cache of
    large files is filled in large folios, which other free pages don't make.
    """
    wanted = min(size, psutil.virtual_memory().available // SHARE) // HUGE_PAGE * HUGE_PAGE
    if not wanted:
        return 0
    with mmap.mmap(-1, wanted, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        _in_huge_pages(memory)
        _fill(memory)
    return wanted


def _in_huge_pages(memory: mmap.mmap) -> None:
    try:
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:  # a kernel without them
        return


def _fill(memory: mmap.mmap) -> None:
    try:
        memory.madvise(_POPULATE_WRITE)
    except OSError:  # an older kernel
        for start in range(0, len(memory), mmap.PAGESIZE):
            memory[start] = 1
