"""What a Debian image must hold besides its packages to boot as a whole machine, flavour `vm-full`.

The machine is an ordinary one: SeaBIOS, GRUB, Debian's kernel with the initrd that initramfs-tools made
in the image, systemd, and the services that Debian's packages enable. What differs is written here, file
by file: no menu to wait for, no log-in prompts, the agent as a service.
"""

from __future__ import annotations

from dataclasses import dataclass

# What the image is built from, besides Debian's minimal base (mmdebstrap --variant=minbase).
PACKAGES = ("systemd-sysv", "linux-image-cloud-amd64", "initramfs-tools")

CMDLINE = (
    "root=/dev/vda1 ro earlyprintk=ttyS0,115200 console=ttyS0,115200 quiet panic=-1 init=/usr/lib/tare/init"
)

# Process 1 of the machine, before any module of ours is loaded: it says that user space begins, then becomes
# systemd. Debian's initrd has run before it, as on every Debian machine; its own first instruction is not
# marked.
_INIT = b"""#!/bin/sh
printf '\\036tare init\\n' >/dev/ttyS0
exec /sbin/init "$@"
"""

_DEVICE = r"dev-virtio\x2dports-tare.agent.device"

# The same path for both, so that systemd opens it once: a port lets nobody else in (systemd.exec(5)).
_UNIT = f"""[Unit]
Description=Tare's agent on its virtio-serial port
Requires={_DEVICE}
After=basic.target {_DEVICE}

[Service]
ExecStart=/usr/lib/tare/agent
ExecStopPost=/bin/systemctl --no-block poweroff
StandardInput=file:/dev/virtio-ports/tare.agent
StandardOutput=file:/dev/virtio-ports/tare.agent
StandardError=journal+console
WorkingDirectory=/
Environment=HOME=/root TERM=dumb

[Install]
WantedBy=multi-user.target
""".encode()

# udev loads the port's module and names it; only with this tag does systemd hear of it.
_RULE = b"""SUBSYSTEM=="virtio-ports", ATTR{name}=="tare.agent", TAG+="systemd"
"""

# Who boots it has a deadline of his own; systemd's 90 s are short where a busy host emulates the machine.
_PATIENCE = b"""[Unit]
JobRunningTimeoutSec=infinity
"""

_GRUB = f"""set timeout=0
linux /vmlinuz {CMDLINE}
initrd /initrd.img
boot
"""

_MASKED = ("getty.target", "serial-getty@ttyS0.service", "systemd-networkd-wait-online.service")


@dataclass(frozen=True)
class ImageFile:
    """A file to put into an image: `path` without a leading slash, and `data`, or a link's `target`."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    target: str = ""


def machine_files(hostname: str = "tare") -> tuple[ImageFile, ...]:
    """Return the files that make a Debian image a machine; the agent itself is the workload's own."""
    wanted = "etc/systemd/system/multi-user.target.wants/tare-agent.service"
    return (
        ImageFile("boot/grub/grub.cfg", _GRUB.encode()),
        ImageFile("etc/fstab", b"/dev/vda1 / ext4 defaults 0 1\n"),
        ImageFile("etc/hostname", f"{hostname}\n".encode()),
        # Empty, as systemd wants it in an image that is cloned: each boot makes its own.
        ImageFile("etc/machine-id", b""),
        ImageFile("etc/systemd/system/tare-agent.service", _UNIT),
        ImageFile(f"etc/systemd/system/{_DEVICE}.d/90-tare.conf", _PATIENCE),
        ImageFile("etc/udev/rules.d/90-tare.rules", _RULE),
        ImageFile(wanted, target="../tare-agent.service"),
        *(ImageFile(f"etc/systemd/system/{unit}", target="/dev/null") for unit in _MASKED),
        ImageFile("usr/lib/tare/init", _INIT, 0o755),
    )
