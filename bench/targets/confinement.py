"""What holds a measured container besides its namespaces: what docker gives one by default."""

from typing import Any

from runtime.linux import capabilities, seccomp
from runtime.oci import default_seccomp

KEPT = tuple(f"CAP_{name}" for name in capabilities.DEFAULT)


def profile() -> dict[str, Any]:
    """Return the filter of system calls, as `linux.seccomp` of a config.json.

    A call takes longer under a filter, whatever it does, and every engine's containers have one.
    """
    return default_seccomp.profile(KEPT)


def program() -> bytes:
    """Return that filter compiled, for Tare's own containers."""
    return seccomp.compile(profile()).program
