"""One figure of one run, before it is a sample."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.results.model import Parameter, Unit


@dataclass(frozen=True, slots=True)
class Value:
    """One figure of one run, in SI base units.

    No disturbance moves a `steady` one (a yes or no, bytes at a socket), so it is never set aside.
    """

    metric: str
    unit: Unit
    value: float
    params: Mapping[str, Parameter] = field(default_factory=dict)
    steady: bool = False


def fact(metric: str, /, *, holds: bool, **params: Parameter) -> Value:
    """Return a yes (1) or no (0)."""
    return Value(metric, "1", float(holds), params, steady=True)
