"""How long a turn takes, so that a long plan can be shown before it begins.

Means of a run on two CPUs of a host without hardware virtualization, where guests are emulated: preparation,
the quiet moment before a turn and its removal are in. A guest under KVM takes a fraction of its time here.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.scenario import Mode

LONG = 120
"""Seconds from which on minutes are told."""

FAST: Mapping[str, float] = {
    "startup container": 0.1, "startup docker": 0.8,
    "startup vm": 4.0, "startup vm-micro": 3.5, "startup vm-full": 24.0,
    "memory container": 3.4, "memory vm": 8.3, "memory vm-full": 51.0,
    "layers layers": 6.3, "layers flattened": 10.6, "layers qcow2-full": 18.3, "layers qcow2-linked": 18.6,
    "cpu native": 7.0, "cpu container": 7.2, "cpu vm": 13.3,
    "copy-on-write container": 0.5,
    "overlay-lookup container": 0.5,
    "layers-integrity container": 1.7,
    "io native": 5.8, "io container": 6.0,
    "network native": 10.0, "network container": 10.0,
    "density container": 2.0, "density vm": 8.0,
    "build container": 5.3, "build docker": 7.0,
    "distribution container": 6.7, "distribution vm": 10.7,
    "anywhere container": 0.4, "anywhere docker": 0.7, "anywhere podman": 0.7, "anywhere crun": 1.0,
    "anywhere vm": 3.7, "anywhere uml": 2.0,
    "registry container": 4.2,
    "limits native": 1.3, "limits container": 6.7,
    "lifecycle container": 0.4, "lifecycle vm": 9.0, "lifecycle vm-full": 24.0,
    "isolation native": 0.1, "isolation container": 0.3,
    "contention native": 8.2,
    "recovery container": 0.2, "recovery vm": 9.0,
}  # fmt: skip
"""Seconds of a turn in --fast, by scenario and target (or layout)."""

LONGER: Mapping[str, float] = {
    "memory container": 4.2, "memory vm": 17.0,
    "layers layers": 11.0,
    "cpu native": 13.0, "cpu container": 13.2, "cpu vm": 19.5,
    "copy-on-write container": 5.0,
    "io native": 8.8, "io container": 9.0,
    "network native": 14.0, "network container": 14.0,
    "density container": 4.0,
    "limits native": 2.3, "limits container": 16.0,
    "lifecycle vm": 25.0,
    "contention native": 15.0,
}  # fmt: skip
"""Seconds of a turn at the default sizes, where that is another number."""


def expected(labels: Iterable[str], mode: Mode) -> dict[str, float]:
    """Return the seconds that a turn of each label may take; those that nobody has timed are left out."""
    known = FAST if mode == "fast" else {**FAST, **LONGER}
    return {label: known[label] for label in labels if label in known}


def told(labels: Sequence[str], mode: Mode) -> str:
    """Return the plan in words: a line for each scenario with its turns and what they may take."""
    seconds, counts = expected(set(labels), mode), Counter(labels)
    lines, total = [], 0.0
    for scenario in dict.fromkeys(label.partition(" ")[0] for label in labels):
        own = {label: n for label, n in counts.items() if label.partition(" ")[0] == scenario}
        cost = sum(n * seconds.get(label, 0.0) for label, n in own.items())
        total += cost
        parts = ", ".join(f"{n} {label.partition(' ')[2]}" for label, n in own.items())
        lines.append(f"  {scenario:18}{_about(cost):>9}  {parts}")
    head = f"plan: {len(labels)} turns, about {_about(total)} on two CPUs without KVM"
    unknown = [label for label in counts if label not in seconds]
    last = [f"  not in the estimate: {', '.join(unknown)}"] if unknown else []
    return "\n".join([head, *lines, *last])


def _about(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= LONG else f"{seconds:.0f} s"
