"""How many runs of an emulated guest can tell anything: more are time for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.claims.definition import Always

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bench.claims.definition import Claim, Part

SHOWN = 1
"""Runs of what is only shown, since no number of them decides."""


def bounds(chosen: Sequence[Claim], emulated: Collection[str], *, fast: bool) -> dict[str, dict[str, int]]:
    """Return the most runs that tell anything, by scenario and target, where `emulated` are targets.

    What emulated samples can't decide is shown by one run, or by none: the judge asks for hardware
    virtualization before it asks for runs. An upper bound needs the runs that its definition asks for but no
    warm-up, which could only lower it. A target of which the scenario is asked anything else has no bound.
    """
    found: dict[str, dict[str, int]] = {}
    free: set[tuple[str, str]] = set()
    for part in (part for claim in chosen for part in claim.part if part.scenario):
        runs = _enough(part, fast=fast) if set(part.targets) & set(emulated) else None
        for name in part.targets:
            if runs is None:
                free.add((part.scenario, name))
            else:
                counts = found.setdefault(part.scenario, {})
                counts[name] = max(counts.get(name, 0), runs)
    return {
        scenario: {name: runs for name, runs in counts.items() if (scenario, name) not in free}
        for scenario, counts in found.items()
    }


def _enough(part: Part, *, fast: bool) -> int | None:
    if part.emulation == "indifferent" or isinstance(part.rule, Always):
        return None
    if part.emulation == "upper-bound":
        return part.fixed(fast=fast)
    return SHOWN if part.fast_shown or not fast else 0
