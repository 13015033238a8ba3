"""How long a turn takes, so that a long plan can be shown before it begins.

Means of a run on two CPUs of a host without hardware virtualization, where guests are emulated: preparation,
the quiet moment before a turn and its removal are in. A guest under KVM takes a fraction of its time here.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.sizes import Mode

LONG = 120
"""Seconds from which on minutes are told."""

FAST: Mapping[str, float] = {
    "startup container": 0.1, "startup docker": 0.4,
    "startup vm": 3.0, "startup vm-micro": 2.7, "startup vm-full": 20.0,
    "memory container": 3.2, "memory vm": 7.3, "memory vm-full": 42.0,
    "layers layers": 4.0, "layers flattened": 5.7, "layers qcow2-full": 13.5, "layers qcow2-linked": 13.5,
    "cpu native": 7.0, "cpu container": 7.0, "cpu vm": 12.5,
    "copy-on-write container": 0.3,
    "overlay-lookup container": 0.5,
    "layers-integrity container": 1.2,
    "io native": 5.6, "io container": 5.6,
    "network native": 5.0, "network container": 10.0,
    "density container": 2.0, "density vm": 7.0,
    "build container": 4.2, "build docker": 5.5,
    "distribution container": 4.5, "distribution vm": 8.3,
    "anywhere container": 0.1, "anywhere docker": 0.7, "anywhere podman": 0.5, "anywhere crun": 0.3,
    "anywhere vm": 3.1, "anywhere uml": 1.8,
    "registry container": 3.0,
    "limits native": 2.0, "limits container": 6.2,
    "lifecycle container": 0.2, "lifecycle vm": 6.0, "lifecycle vm-full": 20.0,
    "isolation native": 0.1, "isolation container": 0.1,
    "contention native": 9.0, "contention container": 9.0,
    "recovery container": 0.1, "recovery vm": 6.7,
}  # fmt: skip
"""Seconds of a turn in --fast, by scenario and target (or layout)."""

LONGER: Mapping[str, float] = {
    "memory container": 4.0, "memory vm": 13.5,
    "layers layers": 6.0,
    "copy-on-write container": 3.2,
    "io native": 8.8, "io container": 8.8,
    "density container": 2.3,
    "limits native": 2.7, "limits container": 15.5,
    "lifecycle vm": 20.0,
    "contention native": 15.0, "contention container": 26.0,
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
