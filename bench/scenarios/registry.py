"""Every scenario that Tare knows, by name, in the order of a run."""

from collections.abc import Mapping

from bench.scenario import Scenario
from bench.scenarios.cpu import Cpu
from bench.scenarios.layers import Layers
from bench.scenarios.memory import Memory
from bench.scenarios.startup import Startup


def scenarios() -> Mapping[str, Scenario]:
    """Return all scenarios."""
    known: tuple[Scenario, ...] = (Startup(), Memory(), Layers(), Cpu())
    return {scenario.name: scenario for scenario in known}
