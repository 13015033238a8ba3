"""The first program of a directly booted guest: a shell script run by a static busybox.

It says `init` on a serial port before it does anything else, since that byte is what the harness
times; then it makes the root file system usable and runs the image's own agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmdriver.spec import Channel, Flavour

HOME = ".tare"
AGENT = "/usr/lib/tare/agent"

_MARK = f"""#!/{HOME}/busybox sh
exec 0<>/dev/ttyS@PORT@ 1>&0
printf '\\036tare init\\n'
b=/{HOME}/busybox
$b stty raw -echo
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
"""

_MOUNTS = """$b mount -t proc -o nosuid,nodev,noexec proc @ROOT@/proc
$b mount -t sysfs -o nosuid,nodev,noexec sysfs @ROOT@/sys
$b mount -t devtmpfs -o nosuid devtmpfs @ROOT@/dev
$b mkdir -p @ROOT@/dev/pts @ROOT@/dev/shm
$b mount -t devpts -o nosuid,noexec devpts @ROOT@/dev/pts
$b mount -t tmpfs -o nosuid,nodev tmpfs @ROOT@/dev/shm
$b ip link set lo up
"""

_MODULES = f"for module in /{HOME}/modules/*.ko; do $b insmod $module; done\n"

# The port appears a moment after its module, when the host has answered a message; the agent speaks first, so
# it can't take a port whose other end is not known yet for one that is closed.
_PORT = """n=0
until [ -c /dev/vport0p1 ] || [ $((n += 1)) -gt 5000 ]; do $b usleep 1000; done
exec 0<>/dev/vport0p1 1>&0
"""

_IN_MEMORY = f"""$b mkdir -p /proc /sys /dev /tmp /run
{_MOUNTS.replace("@ROOT@", "")}@PORT_MODULES@@OPEN@{AGENT}
$b poweroff -f
"""

# The agent runs in a chroot of its disk and process 1 stays outside, so that there is somebody to unmount
# the disk and to switch the machine off whatever the image holds.
_FROM_DISK = f"""{_MODULES}$b mount -t devtmpfs devtmpfs /dev
$b mount -t ext4 -o noatime /dev/vda /{HOME}/root || $b poweroff -f
{_MOUNTS.replace("@ROOT@", f"/{HOME}/root")}@OPEN@$b chroot /{HOME}/root {AGENT}
$b umount /{HOME}/root/dev/pts /{HOME}/root/dev/shm /{HOME}/root/dev /{HOME}/root/sys /{HOME}/root/proc
$b mount -o remount,ro /{HOME}/root
$b poweroff -f
"""


def probe_script(port: int) -> bytes:
    """Return the script of a guest that says `init` and switches itself off."""
    return (_MARK + "$b poweroff -f\n").replace("@PORT@", str(port)).encode()


def script(port: int, *, disk: bool, channel: Channel = "serial") -> bytes:
    """Return the script for an agent with its root on the first disk or in memory.

    It says `init` on serial port `port`, and the agent goes on there or on the virtio-serial port.
    """
    virtio = channel == "virtio-serial"
    body = (_FROM_DISK if disk else _IN_MEMORY).replace("@PORT_MODULES@", _MODULES if virtio else "")
    return (_MARK.replace("@PORT@", str(port)) + body.replace("@OPEN@", _PORT if virtio else "")).encode()


def modules(flavour: Flavour, channel: Channel = "serial", *, disk: bool) -> tuple[str, ...]:
    """Return the modules that a guest of this flavour needs to see its virtio disk and port."""
    bus = "virtio_mmio" if flavour == "vm-micro" else "virtio_pci"
    devices = ("virtio_blk",) * disk + ("virtio_console",) * (channel == "virtio-serial")
    return (bus, *devices) if devices else ()
