"""The A/A gate: a target compared with itself, which tells what a run can and can't detect."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.stats.comparison import compare
from bench.stats.estimate import LEVEL, Estimate
from bench.stats.holm import holm
from bench.stats.summary import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.results import Measurement, Run
    from bench.results.model import Parameter

FEWEST = 12
"""Counted runs below which there is no gate: two halves of six are the fewest that have an interval."""
POWER = 0.95
REACH = (1.959964 + 1.644854) / 1.959964
"""How large an effect has to be, in arms of the 95 % interval, to show in 95 % of runs (normal theory)."""


@dataclass(frozen=True)
class Gate:
    """What one measurement says when its runs are dealt out to two groups as if they were two targets.

    `ratio` is that of the two halves, `p` of the permutation test as adjusted for all gates of the run.
    `floor` is the smallest effect (0.03: 3 %) that a comparison of this many runs can tell from none, and
    `detectable` the smallest that it finds in 95 % of runs. Both are of medians, so careful: the test by
    ranks finds smaller ones.
    """

    scenario: str
    target: str
    metric: str
    params: dict[str, Parameter]
    n: int
    ratio: Estimate
    p: float
    floor: float
    detectable: float

    @property
    def passed(self) -> bool:
        """Whether the target is like itself; if not, the run speaks of the host and not of its targets."""
        return self.p > 1 - LEVEL


def gates(run: Run) -> list[Gate]:
    """Return the gate of every measurement that has enough counted runs, with p adjusted for all (Holm)."""
    found = [gate for measurement in run.measurements if (gate := _gate(measurement))]
    adjusted = holm([gate.p for gate in found])
    return [replace(gate, p=p) for gate, p in zip(found, adjusted, strict=True)]


def failing(found: Iterable[Gate]) -> list[Gate]:
    """Return the gates that are shut."""
    return [gate for gate in found if not gate.passed]


def dealt(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Deal values in the order of the run to two groups, as ABBA: a linear drift hits both alike."""
    pairs = [(values[i], values[i + 1]) for i in range(0, len(values) - 1, 2)]
    turned = [pair if i % 2 == 0 else pair[::-1] for i, pair in enumerate(pairs)]
    return [first for first, _ in turned], [second for _, second in turned]


def _gate(measurement: Measurement) -> Gate | None:
    values = [s.value for s in sorted(counted(measurement), key=lambda s: (s.round, s.position))]
    if len(values) < FEWEST:
        return None
    one = compare(*dealt(values), paired=True)
    if one is None or one.ratio.low is None or one.ratio.high is None:
        return None
    # Halves have half the runs: the arm for all of them is shorter by the root of two.
    arm = max(math.log(one.ratio.high / one.ratio.value), math.log(one.ratio.value / one.ratio.low))
    arm /= math.sqrt(2)
    return Gate(
        measurement.scenario, measurement.target, measurement.metric, measurement.params, len(values),
        one.ratio, one.p, math.expm1(arm), math.expm1(REACH * arm),
    )  # fmt: skip
