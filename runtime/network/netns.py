"""Act in another network namespace for a moment."""

from __future__ import annotations

import os
from contextlib import contextmanager

from runtime.linux import namespaces, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def entered(netns: int) -> Iterator[None]:
    """Run the body with this thread in the network namespace behind `netns`, whose mounts stay the host's.

    setns(2) moves the calling thread alone, and /proc/sys/net shows the namespace of the thread that reads.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(netns, namespaces.FLAGS["network"])
        try:
            yield
        finally:
            syscalls.setns(home, namespaces.FLAGS["network"])
    finally:
        os.close(home)
