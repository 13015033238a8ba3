"""Containers and bare processes: what they are made of, and their life."""

from runtime.cgroups.manager import Resources
from runtime.container.spawner import Spawner
from runtime.container.spec import ContainerSpec, NativeSpec
from runtime.container.started import ExitStatus, Started
from runtime.rootfs.plan import Bind

__all__ = ["Bind", "ContainerSpec", "ExitStatus", "NativeSpec", "Resources", "Spawner", "Started"]
