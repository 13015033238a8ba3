"""From a run to its figures: what counts, the medians, the ratios, the marginal costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.stats.line import Line, Point, fit
from bench.stats.location import median
from bench.stats.pairing import match
from bench.stats.ratio import ratio

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.results import Measurement, Run, Sample
    from bench.results.model import Accelerator, Parameter, Unit
    from bench.stats.estimate import Estimate


@dataclass(frozen=True)
class Summary:
    """One measurement in figures; `estimate`, `minimum` and `maximum` are None when no sample counts.

    `n` samples count; `excluded` were set aside by a rule; `warmups` are neither.
    """

    scenario: str
    target: str
    metric: str
    unit: Unit
    params: dict[str, Parameter]
    n: int
    excluded: int
    warmups: int
    estimate: Estimate | None
    minimum: float | None
    maximum: float | None
    accelerators: tuple[Accelerator, ...]

    @property
    def lack(self) -> str:
        """Why there is no estimate: all samples are set aside, or there are but warm-ups, as after a kill."""
        return f"all {self.excluded} set aside" if self.excluded else "none counts yet"


@dataclass(frozen=True)
class Ratio:
    """`target` over `baseline` for one metric under the same parameters (unit 1)."""

    scenario: str
    target: str
    baseline: str
    metric: str
    params: dict[str, Parameter]
    estimate: Estimate


@dataclass(frozen=True)
class Fit:
    """The cost of one more instance: a line over the parameter `over`, other parameters as in `params`."""

    scenario: str
    target: str
    metric: str
    unit: Unit
    params: dict[str, Parameter]
    over: str
    line: Line


def counted(measurement: Measurement) -> tuple[Sample, ...]:
    """Return the samples that count: neither warm-up nor excluded."""
    return tuple(s for s in measurement.samples if not s.warmup and s.excluded is None)


def summarise(run: Run) -> list[Summary]:
    """Return one `Summary` per measurement, in the run's order."""
    return [_summary(measurement) for measurement in run.measurements]


def ratios(run: Run, baseline: str = "native") -> list[Ratio]:
    """Return target / baseline wherever the baseline was measured under the same parameters."""
    bases = {_key(m): m for m in run.measurements if m.target == baseline}
    found = []
    for m in run.measurements:
        base = bases.get(_key(m))
        if base is None or m.target == baseline:
            continue
        both = match(counted(m), counted(base))
        estimate = ratio(both.first, both.second, paired=both.paired)
        if estimate is not None:
            found.append(Ratio(m.scenario, m.target, baseline, m.metric, m.params, estimate))
    return found


LINEAR_FROM = {"uss": 2}
"""Where a metric becomes a straight line in n, if not at 1: while there is one instance, pages of the files
that all instances share are its own; the second one's arrival takes them off the sum."""


def fits(run: Run, over: str = "n") -> list[Fit]:
    """Return a line for every metric that was measured at two or more values of the parameter `over`.

    Values of `over` at which the metric is no straight line yet (`LINEAR_FROM`) are left out.
    """
    groups: dict[tuple[object, ...], list[Measurement]] = {}
    for m in run.measurements:
        if isinstance(m.params.get(over), int | float):
            rest = tuple(sorted((k, v) for k, v in m.params.items() if k != over))
            groups.setdefault((m.scenario, m.target, m.metric, rest), []).append(m)
    return [found for group in groups.values() if (found := _fit(group, over))]


def _summary(m: Measurement) -> Summary:
    values = _values(m)
    return Summary(
        scenario=m.scenario,
        target=m.target,
        metric=m.metric,
        unit=m.unit,
        params=m.params,
        n=len(values),
        excluded=sum(s.excluded is not None and not s.warmup for s in m.samples),
        warmups=sum(s.warmup for s in m.samples),
        estimate=median(values) if values else None,
        minimum=min(values, default=None),
        maximum=max(values, default=None),
        accelerators=tuple(dict.fromkeys(s.accelerator for s in m.samples if s.accelerator)),
    )


def _fit(group: list[Measurement], over: str) -> Fit | None:
    line = fit(list(_points(group, over)))
    if line is None:
        return None
    m = group[0]
    rest = {name: value for name, value in m.params.items() if name != over}
    return Fit(m.scenario, m.target, m.metric, m.unit, rest, over, line)


def _points(group: list[Measurement], over: str) -> Iterable[Point]:
    for m in group:
        if float(m.params[over]) < LINEAR_FROM.get(m.metric, 0):
            continue
        for sample in counted(m):
            yield Point(float(m.params[over]), sample.value, sample.round)


def _values(m: Measurement) -> list[float]:
    return [sample.value for sample in counted(m)]


def _key(m: Measurement) -> tuple[object, ...]:
    return m.scenario, m.metric, tuple(sorted(m.params.items()))
