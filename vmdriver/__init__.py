"""Virtual machines through libvirt: kernels, disks, guests, and the proof of an accelerator."""
