"""Memory that is at hand, so that the time of filling it is not that of getting it from a hypervisor.

A host that is itself a guest can hand its free pages back (free page reporting, VIRTIO 1.2, section 5.5.6.7).
The next to use them waits for the hypervisor to find others. Which size meets such pages depends on what ran
before it, which is nobody's property.
"""

from __future__ import annotations

import errno
import mmap

import psutil

HUGE_PAGE = 2**21
SHARE = 2  # of what is free, so that nothing is pushed out of the page cache
_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE of linux/mman.h, since Linux 5.14; Python has no name for it


def provide(size: int) -> int:
    """Use `size` bytes of free memory and free them, for who asks next; return the bytes that were used.

    At most half of what is free, and nothing where the host gives none: memory that is full of other things
    is in use already, and waits for no hypervisor. In huge pages, where the kernel has them: the page cache
    of large files is filled in large folios, which other free pages don't make.
    """
    wanted = min(size, psutil.virtual_memory().free // SHARE) // HUGE_PAGE * HUGE_PAGE
    try:
        return _used(wanted) if wanted else 0
    except OSError:  # a limit on address space, or no overcommit
        return 0


def _used(size: int) -> int:
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        _advise(memory, mmap.MADV_HUGEPAGE)
        if not _advise(memory, _POPULATE_WRITE):
            for start in range(0, size, mmap.PAGESIZE):
                memory[start] = 1
    return size


def _advise(memory: mmap.mmap, advice: int) -> bool:
    """Tell whether the kernel knows the advice and takes it; raises `OSError` where it can't."""
    try:
        memory.madvise(advice)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return True
