"""Containers and bare processes: what they are made of, and their life."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.cgroups.manager import Resources
    from runtime.container.spawner import Spawner
    from runtime.container.spec import ContainerSpec, NativeSpec
    from runtime.container.started import ExitStatus, Started
    from runtime.rootfs.plan import Bind

__all__ = ["Bind", "ContainerSpec", "ExitStatus", "NativeSpec", "Resources", "Spawner", "Started"]
_MODULES = {
    "Bind": "runtime.rootfs.plan",
    "ContainerSpec": "runtime.container.spec",
    "ExitStatus": "runtime.container.started",
    "NativeSpec": "runtime.container.spec",
    "Resources": "runtime.cgroups.manager",
    "Spawner": "runtime.container.spawner",
    "Started": "runtime.container.started",
}


def __getattr__(name: str) -> object:
    """Import what is asked for: a build with all in its cache starts no container, and loads none of this."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = found
    return found
