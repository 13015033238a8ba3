"""The rules of a result file that types and JSON Schema can't express."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from bench.errors import BenchFault
from bench.results.model import Parameter  # noqa: TC001 - msgspec looks it up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.results.model import Measurement, Run, Sample, Target

# A drop in memory may be negative (the host freed some meanwhile); time, rates and counts never are.
NEVER_NEGATIVE = frozenset({"s", "1/s", "count"})


class _Claim(Struct):
    """The fields of a verdict of kind "claim" (`bench.claims.judge`) that are read again from a file."""

    claim: str
    verdict: str
    parts: list[dict[str, Any]]
    data: str
    repeat: list[str]


class _Gate(Struct):
    """The fields of a verdict of kind "a/a" (`bench.verdicts`) that are read again from a file."""

    scenario: str
    target: str
    metric: str
    params: dict[str, Parameter]
    floor: float
    detectable: float
    p: float
    ratio: float
    passed: bool


class _Verdict(Struct):
    """What every verdict says."""

    kind: str


def check_run(run: Run, *, origin: str) -> None:
    """Raise `BenchFault` ("corrupt") for the first measurement or verdict that breaks a rule."""
    targets = {target.name: target for target in run.targets}
    for measurement in run.measurements:
        for problem in problems(measurement, targets):
            raise BenchFault(
                f"{origin}: {problem}", hint="this file must not be trusted; run again", kind="corrupt"
            )
    for number, verdict in enumerate(run.verdicts):
        try:
            msgspec.convert(verdict, {"a/a": _Gate, "claim": _Claim}.get(str(verdict.get("kind")), _Verdict))
        except msgspec.ValidationError as err:
            raise BenchFault(
                f"{origin}: verdict {number} breaks the schema: {err}",
                hint="this file must not be trusted; run again",
                kind="corrupt",
            ) from err


def problems(measurement: Measurement, targets: Mapping[str, Target]) -> Iterator[str]:
    """Yield a sentence for every rule that `measurement` breaks.

    The target is in the run's list; values are finite; durations, rates and counts are not negative;
    a sample of a VM says which accelerator carried it and a sample of anything else says none.
    """
    target = targets.get(measurement.target)
    if target is None:
        yield f"{label(measurement)}: the run has no target {measurement.target!r}"
        return
    for sample in measurement.samples:
        yield from _value_problems(measurement, sample)
        if (target.kind == "vm") != (sample.accelerator is not None):
            said = sample.accelerator or "no accelerator"
            yield f"{label(measurement)}: a sample of a target of kind {target.kind} says {said}"


def _value_problems(measurement: Measurement, sample: Sample) -> Iterator[str]:
    if not math.isfinite(sample.value) or not all(map(math.isfinite, sample.sentinels.values())):
        yield f"{label(measurement)}: a value in round {sample.round} is not finite"
    elif sample.value < 0 and measurement.unit in NEVER_NEGATIVE:
        yield f"{label(measurement)}: negative value {sample.value!r} {measurement.unit}"


def label(measurement: Measurement) -> str:
    """Return the short name of a measurement for messages, such as `startup/vm/ready`."""
    return f"{measurement.scenario}/{measurement.target}/{measurement.metric}"
