"""Hear of it when the kernel kills in a container for want of memory: an event, not a poll.

v1: cgroup.event_control with an eventfd (cgroup-v1/memory.rst, section 10); v2: POLLPRI on memory.events.
"""

from __future__ import annotations

import os
import select

from runtime.cgroups.events import oom_kills
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from runtime.cgroups.oci import Group


class Watch:
    """A context manager whose `fd` and `events` go into a poll; `kills` then says how many are new."""

    def __init__(self, group: Group) -> None:
        spot = group.spots.get("memory")
        if spot is None:
            raise RuntimeFault(
                "this container has no memory cgroup", kind="host", hint="see tare-oci features"
            )
        self._group, self._control = group, -1
        if spot.version == 1:
            self.fd, self.events = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK), select.POLLIN
            self._register(spot.file("memory.oom_control"), spot.file("cgroup.event_control"))
        else:
            self.fd, self.events = (
                os.open(spot.file("memory.events"), os.O_RDONLY | os.O_CLOEXEC),
                select.POLLPRI,
            )
            # A file of kernfs that was never read has an event at once (kernfs_generic_poll).
            self._drain()
        self._seen = oom_kills(group)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        for fd in (self.fd, self._control):
            if fd >= 0:
                os.close(fd)

    def _register(self, watched: str, control: str) -> None:
        self._control = os.open(watched, os.O_RDONLY | os.O_CLOEXEC)
        fd = os.open(control, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, f"{self.fd} {self._control}".encode())
        finally:
            os.close(fd)

    def kills(self) -> int:
        """Return the kills since the last call (or since the beginning), and be ready for the next event.

        v1 also tells of the cgroup's removal, and both of being out of memory without a kill: then it is 0.
        """
        self._drain()
        before, self._seen = self._seen, max(self._seen, oom_kills(self._group))
        return self._seen - before

    def _drain(self) -> None:
        if self.events == select.POLLPRI:
            os.pread(self.fd, 4096, 0)
        elif select.select([self.fd], [], [], 0)[0]:
            os.eventfd_read(self.fd)
