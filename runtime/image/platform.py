"""This host in the words of an image's platform: those of Go."""

import os

from runtime.image.manifest import Platform

_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}


def host_platform() -> Platform:
    """Return the platform whose images run here."""
    machine = os.uname().machine
    return Platform(architecture=_ARCHITECTURES.get(machine, machine), os="linux")
