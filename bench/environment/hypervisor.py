"""Finds out whether the host is itself a guest, and whether its hypervisor takes memory that is free."""

from __future__ import annotations

from bench.environment.host import Host, field

# Words in the firmware's vendor and product strings, as systemd-detect-virt(1) knows them.
FIRMWARE = {
    "kvm": "kvm",
    "qemu": "qemu",
    "vmware": "vmware",
    "virtualbox": "virtualbox",
    "innotek": "virtualbox",
    "xen": "xen",
    "amazon ec2": "amazon",
    "google compute engine": "google",
    "virtual machine": "microsoft",
    "parallels": "parallels",
    "apple virtualization": "apple",
    "bochs": "bochs",
}

BALLOON = "0x0005"  # the device's id (VIRTIO 1.2, section 5)
REPORTING = 5  # VIRTIO_BALLOON_F_PAGE_REPORTING, section 5.5.3


def virtualization(host: Host) -> str | None:
    """Return the hypervisor under the host, "unknown hypervisor", or "none"; None when nothing tells.

    The CPUID bit that Linux shows as the flag "hypervisor" is decisive on x86 (KVM's cpuid documentation);
    the firmware's strings only name the product. Other architectures have no such flag.
    """
    name = _firmware(host) or host.text("sys/hypervisor/type")
    flags = field(host, "proc/cpuinfo", "flags")
    if flags is None:
        return name
    if "hypervisor" not in flags.split():
        return "none"
    return name or "unknown hypervisor"


def takes_free_pages(host: Host) -> bool:
    """Return whether a balloon device has agreed on free page reporting.

    sysfs writes the features as a row of digits, bit 0 first (drivers/virtio/virtio.c).
    """
    for device in (host.root / "sys/bus/virtio/devices").glob("*"):
        place = device.relative_to(host.root)
        features = host.text(f"{place}/features") or ""
        if host.text(f"{place}/device") == BALLOON and features[REPORTING : REPORTING + 1] == "1":
            return True
    return False


def _firmware(host: Host) -> str | None:
    # A cloud's bare metal carries its vendor's name too: only the CPU flag decides there.
    strings = [host.text(f"sys/class/dmi/id/{name}") or "" for name in ("sys_vendor", "product_name")]
    spoken = " ".join(strings).lower()
    return next((name for word, name in FIRMWARE.items() if word in spoken), None)
