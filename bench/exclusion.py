"""The rules that set a sample aside, written down before the first sample is taken.

Each looks at the host, never at the value: a rule that looked at the value would choose the result. All
speak of disturbances from outside, since a workload may well cause pressure and faults of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.results.model import ExclusionRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Rule:
    """Set a sample aside when its sentinel `key` is above `threshold` (in the sentinel's unit)."""

    code: str
    key: str
    threshold: float
    text: str

    def record(self) -> ExclusionRule:
        """Return the rule as the result file keeps it."""
        return ExclusionRule(code=self.code, text=self.text, threshold=self.threshold)


RULES = (
    Rule("suspended", "suspended", 0.1, "the host was suspended meanwhile (seconds)"),
    Rule("steal", "steal", 0.05, "the hypervisor under the host took more than 5 % of the CPU time"),
    Rule("other-load", "load_other", 0.5, "other programs kept more than half a CPU busy just before"),
    Rule(
        "memory-stall",
        "psi_memory_full",
        0.1,
        "every task of the host stalled on memory for over 10 % of the time",
    ),
    Rule("throttled", "throttled", 0.0, "a CPU core was slowed down because of heat (events)"),
)


def rules() -> tuple[Rule, ...]:
    """Return all rules in the order in which they are tried."""
    return RULES


def reason(sentinels: Mapping[str, float], rules: Iterable[Rule] = RULES) -> str | None:
    """Return the code of the first rule that `sentinels` meets, or None: the sample counts.

    A key that is absent (the host has no such source, the window was too short) meets no rule.
    """
    return next((rule.code for rule in rules if sentinels.get(rule.key, 0.0) > rule.threshold), None)
