"""`tare-oci features`."""

from __future__ import annotations

import json
import sys

from runtime.linux import capabilities, seccomp, seccomp_profile
from runtime.oci.lifecycle import SPECIFICATION
from runtime.oci.spaces import FLAGS
from runtime.rootfs import oci_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.options import Arguments
    from runtime.oci.report import Log

USAGE = ""
OPTIONS = ""
MIXED = True
_HOOKS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Print the features structure."""
    sys.stdout.write(json.dumps(features(), indent=2) + "\n")
    return 0


def _seccomp() -> dict[str, Any]:
    return {
        "enabled": seccomp.supported(),
        "actions": sorted(seccomp_profile.ACTIONS),
        "operators": sorted(seccomp_profile.OPERATORS),
        "archs": sorted(seccomp_profile.ARCHITECTURES),
        "knownFlags": sorted(seccomp_profile.FLAGS),
        "supportedFlags": sorted(seccomp_profile.FLAGS),
    }


def features() -> dict[str, Any]:
    """Return the features structure (features.md, features-linux.md)."""
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPECIFICATION,
        "hooks": _HOOKS,
        "mountOptions": list(oci_options.names()),
        "linux": {
            "namespaces": sorted(FLAGS),
            "capabilities": [f"CAP_{name}" for name in capabilities.NAMES],
            "cgroup": {"v1": True, "v2": True, "systemd": False, "systemdUser": False, "rdma": True},
            "seccomp": _seccomp(),
            "apparmor": {"enabled": True},
            "selinux": {"enabled": False},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": True}},
        },
    }
