"""Which turns a scenario has: those that a run plans, and spare ones for what the host spoils."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import schedule, spares, warmup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.scenario import Scenario
    from bench.schedule import Slot
    from bench.sizes import Sizes

MOST_RUNS = 1000
"""Counted turns of a target at which `--precision` gives up, if `--runs` says nothing else."""


def turns(scenario: Scenario, sizes: Sizes, targets: Sequence[str]) -> list[Slot]:
    """Return every turn of `scenario` on those of `targets` that it knows, in the order of the run."""
    counted = counts(scenario, sizes, targets)
    bounds = sizes.bounds.get(scenario.name, {})
    warm = {
        name: 0 if name in bounds else warmup.most(scenario.warmups, sizes.runs or count)
        for name, count in _own(scenario, sizes, targets).items()
    }
    return list(schedule.blocks(list(counted), counted, sizes.seed, sizes.order, warmups=warm))


def spare_turns(scenario: Scenario, sizes: Sizes, targets: Sequence[str]) -> list[Slot]:
    """Return the turns that make good what is set aside.

    There are none where the number of runs was asked for, nor in "blocked" order: they would be out of it.
    """
    if sizes.runs or sizes.order == "blocked" or (sizes.precision and scenario.decisive):
        return []
    runs = {name: spares.most(count) for name, count in counts(scenario, sizes, targets).items()}
    last = max((turn.round for turn in turns(scenario, sizes, targets)), default=0)
    return list(schedule.spare(runs, last + 1, sizes.seed))


def counts(scenario: Scenario, sizes: Sizes, targets: Sequence[str]) -> dict[str, int]:
    """Return how many counted turns each of `targets` gets."""
    bounds = sizes.bounds.get(scenario.name, {})
    most = sizes.runs or (MOST_RUNS if sizes.precision and scenario.decisive else None)
    least = sizes.asked.get(scenario.name, {})
    own = _own(scenario, sizes, targets)
    wanted = {name: most or max(count, least.get(name, 0)) for name, count in own.items()}
    return {name: min(count, bounds.get(name, count)) for name, count in wanted.items()}


def _own(scenario: Scenario, sizes: Sizes, targets: Sequence[str]) -> Mapping[str, int]:
    return scenario.counts(sizes.mode, [name for name in scenario.targets if name in targets])
