"""The A/A gate: a target compared with itself, which tells what a run can and can't detect."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.stats.comparison import compare
from bench.stats.estimate import LEVEL, Estimate
from bench.stats.holm import holm
from bench.stats.summary import Summary, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.results import Measurement, Run
    from bench.results.model import Parameter

Key = tuple[str, str, str, tuple[tuple[str, object], ...]]
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
    `detectable` the smallest that it finds in 95 % of runs.
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


@dataclass(frozen=True)
class Known:
    """What the file of a run says of a measurement's gate."""

    floor: float
    detectable: float
    p: float
    passed: bool
    ratio: float


def known(run: Run) -> dict[Key, Known]:
    """Return the gates that a run has recorded; imported or cut off it has none: those of its samples."""
    return recorded(run) or {
        key(one): Known(one.floor, one.detectable, one.p, one.passed, one.ratio.value) for one in gates(run)
    }


def recorded(run: Run) -> dict[Key, Known]:
    """Return the gates that were found at the end of a run, by measurement; nothing is computed."""
    return {
        (v["scenario"], v["target"], v["metric"], tuple(sorted(v["params"].items()))): Known(
            v["floor"], v["detectable"], v["p"], v["passed"], v["ratio"]
        )
        for v in run.verdicts
        if v.get("kind") == "a/a"
    }


def key(one: Measurement | Summary | Gate) -> Key:
    """Return what `recorded` knows a measurement by."""
    return one.scenario, one.target, one.metric, tuple(sorted(one.params.items()))


def detectable(ratio: Estimate) -> float | None:
    """Return the smallest difference (0.03: 3 %) that a comparison with this interval finds in 95 % of runs.

    None without an interval of 95 %.
    """
    arm = _arm(ratio)
    return None if arm is None or ratio.level < LEVEL else math.expm1(REACH * arm)


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
    arm = _arm(one.ratio) if one else None
    if one is None or arm is None:
        return None
    arm /= math.sqrt(2)  # halves have half the runs: for all of them it is shorter by the root of two
    return Gate(
        measurement.scenario, measurement.target, measurement.metric, measurement.params, len(values),
        one.ratio, one.p, math.expm1(arm), math.expm1(REACH * arm),
    )  # fmt: skip


def _arm(ratio: Estimate) -> float | None:
    """Return the longer arm of the interval, as a logarithm."""
    if ratio.low is None or ratio.high is None:
        return None
    return max(math.log(ratio.high / ratio.value), math.log(ratio.value / ratio.low))
