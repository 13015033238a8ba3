"""Private libvirt state directories: one process each, kept from run to run.

libvirt's embedded driver (https://libvirt.org/drvqemu.html#embedded-driver) keeps all of its state below
one directory that one process may use at a time, and that process no other until it ends. The directory
is worth keeping: libvirt asks QEMU what it can do the first time, which takes seconds, and remembers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from typing import TYPE_CHECKING

from vmdriver.errors import MachineFault, from_os
from vmdriver.files import discard

if TYPE_CHECKING:
    from pathlib import Path

_MOST = 64
# With a star at the end, since a kill may come while libvirt writes NAME.xml.new, to be renamed.
_NOTES = (
    "run/qemu/*.xml*",
    "run/qemu/*.pid*",
    "lib/qemu/domain-*",
    "lib/qemu/channel/target/domain-*",
    "log/qemu/*.log*",
)

_QEMU_CONF = """\
# No daemon runs for logs and locks, and a guest is confined by nothing but its accelerator: the harness
# owns guest, disks and host alike, and accounts for memory and CPUs itself.
stdio_handler = "file"
security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = []
remember_owner = 0
namespaces = []
"""


class Slot:
    """A state directory that this process holds until `release`, or until it ends."""

    def __init__(self, root: Path, descriptor: int) -> None:
        self.root = root
        self._descriptor = descriptor

    def release(self) -> None:
        """Let another process have the directory."""
        os.close(self._descriptor)

    def prepare(self) -> None:
        """Write the configuration, take over what another slot knows about QEMU, forget old guests."""
        (self.root / "etc").mkdir(exist_ok=True)
        (self.root / "etc/qemu.conf").write_text(_QEMU_CONF)
        cache = self.root / "cache"
        if not cache.exists():
            for other in sorted(self.root.parent.glob("slot-*/cache")):
                shutil.copytree(other, cache, dirs_exist_ok=True)
                break
        forget_guests(self.root)


def acquire(data: Path) -> Slot:
    """Take the first free slot below `data`, making one if all are held by living processes."""
    base = data / "vm/libvirt"
    try:
        for number in range(_MOST):
            slot = _try(base / f"slot-{number}")
            if slot:
                slot.prepare()
                return slot
    except OSError as err:
        raise from_os(err, f"preparing libvirt's directory in {base}") from err
    raise MachineFault(
        f"all {_MOST} libvirt directories in {base} are in use", hint="end some harnesses first"
    )


def _try(root: Path) -> Slot | None:
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Slot(root, descriptor)


def forget_guests(root: Path) -> None:
    """Remove libvirt's notes on running guests, so that the next process finds none. Logs go too."""
    for pattern in _NOTES:
        for path in root.glob(pattern):
            if path.name != "driver.pid":
                discard(path)
