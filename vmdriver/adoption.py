"""Makes this process the parent of the machines that it starts, so that they are collected when they end.

libvirt starts QEMU as a daemon, which leaves it to process 1, and `destroy` returns when process 1 has
collected the dead QEMU. An init that does so every few seconds, as in many containers and sandboxes,
would be measured as a slow teardown: 3 ms of dying and 2 s of waiting on one such host.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def adopting(pidfile: Path) -> Iterator[None]:
    """Adopt the daemons that are born in the block: those only, since it is switched off again after it.

    `pidfile` is where libvirt notes the machine that the block starts.
    """
    over = threading.Event()
    collector = threading.Thread(target=_collect_strays, args=(over, pidfile), name="collect", daemon=True)
    _subreaper(1)
    collector.start()
    try:
        yield
    finally:
        over.set()
        _subreaper(0)
        collector.join()


@contextlib.contextmanager
def collecting(pid: int) -> Iterator[None]:
    """Collect the adopted process `pid` as soon as it dies, while the block waits for that in libvirt."""
    thread = threading.Thread(target=collect, args=(pid,), name=f"collect-{pid}", daemon=True)
    thread.start()
    yield
    thread.join(1)  # libvirt has seen it die; where it failed to, the caller finds out


def collect(pid: int, *, block: bool = True) -> None:
    """Collect `pid` when it is dead, if it is a child of ours: a daemon's guests never are."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0 if block else os.WNOHANG)


def _subreaper(on: int) -> None:
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, on, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _collect_strays(over: threading.Event, pidfile: Path) -> None:
    """Collect QEMUs that died while libvirt was starting one: it waits 40 s and more for those, too.

    A start that goes well is over before the first look. The dead that libvirt collects itself, its own
    children, are gone at once, so only what stays dead from one look to the next is taken.
    """
    if over.wait(1.0):
        return
    dead: set[int] = set()
    while not over.wait(0.05) or dead:
        now = set(filter(lambda pid: _is_dead(pid, pidfile), _children()))
        for pid in now & dead:
            collect(pid, block=False)
        dead = now - dead


def _is_dead(pid: int, pidfile: Path) -> bool:
    """Tell whether `pid` is a zombie that was to be a machine.

    By its name, which a zombie keeps, or by the pidfile: a machine that fails before QEMU runs still has
    the name of this process, and so may other dead children of ours, which are not ours to collect.
    """
    with contextlib.suppress(OSError, ValueError):
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        if rest.split()[0] == "Z":
            return "(qemu-" in name or int(pidfile.read_text()) == pid
    return False


def _children() -> Iterator[int]:
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # the file depends on CONFIG_PROC_CHILDREN; a thread may end
            yield from map(int, (task / "children").read_text().split())
