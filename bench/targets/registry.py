"""Every target that Tare knows, by name, in the order in which people see them."""

from collections.abc import Mapping

from bench.target import Target
from bench.targets.container import Container
from bench.targets.drivers import Drivers
from bench.targets.machine import VirtualMachine
from bench.targets.native import Native
from bench.targets.variants import offered

NAMES = ("native", "container", "vm", "vm-micro", "vm-full")


def targets(drivers: Drivers) -> Mapping[str, Target]:
    """Return all targets over one set of drivers, and the offered versions; nothing is opened yet."""
    known: tuple[Target, ...] = (
        Native(drivers),
        Container(drivers),
        VirtualMachine(drivers, "vm"),
        VirtualMachine(drivers, "vm-micro"),
        VirtualMachine(drivers, "vm-full"),
        *offered(drivers),
    )
    return {target.name: target for target in known}
