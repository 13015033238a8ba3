"""Small runs with the figures that a test wants, and nothing else."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from bench.results import Cpu, Environment, Kernel, Measurement, Run, Sample, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOST = Environment(
    distribution="Debian 12", cgroup="v2", kernel=Kernel(release="6.1"), cpu=Cpu(model="CPU A", count=4)
)
UNITS = {"rate": "1/s", "pss": "B", "uss": "B", "unexplained": "B", "instances": "count"}


def plain_run(
    figures: Mapping[tuple[str, str, str], Sequence[float]],
    *,
    number: int = 1,
    environment: Environment = HOST,
    **changes: object,
) -> Run:
    """Return a run of (scenario, target, metric) to values; day and id follow from its number."""
    day = f"2026-10-{number:02d}"
    names = dict.fromkeys(target for _, target, _ in figures)
    run = Run(
        id=f"{day.replace('-', '')}T120000Z-{number:06x}",
        started=f"{day}T12:00:00.000Z",
        finished=f"{day}T12:05:00.000Z",
        command=("tare", "run"),
        seed=number,
        mode="default",
        order="interleaved",
        environment=environment,
        targets=tuple(
            Target(name=n, title=n, kind="vm" if n.startswith("vm") else "native", available=True)
            for n in names
        ),
        measurements=tuple(_measurement(*key, values) for key, values in figures.items()),
    )
    return msgspec.structs.replace(run, **changes)


def draws(seed: int, middle: float, *, factor: float = 1.0, spread: float = 0.02, n: int = 20) -> list[float]:
    """Return log-normal values around `middle * factor`."""
    rng = random.Random(seed)
    return [middle * factor * rng.lognormvariate(0, spread) for _ in range(n)]


def store(root: Path, run: Run) -> Path:
    """Write a run where stored ones are, and return its file."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / f"{run.id}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1))
    return path


def _measurement(scenario: str, target: str, metric: str, values: Sequence[float]) -> Measurement:
    accelerator = "tcg" if target.startswith("vm") else None
    samples = [
        Sample(value=value, round=index, position=0, at=float(index), accelerator=accelerator)
        for index, value in enumerate(values)
    ]
    unit = UNITS.get(metric, "s")
    return Measurement(scenario=scenario, target=target, metric=metric, unit=unit, samples=tuple(samples))
