"""A run as the JSON of pytest-benchmark, which knows times only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from pytest_benchmark import __version__
from pytest_benchmark.stats import Stats

from bench.stats.summary import counted

if TYPE_CHECKING:
    from bench.results import Measurement, Run

OPTIONS = {
    "disable_gc": False, "timer": "monotonic_ns", "min_rounds": 1, "max_time": 0.0, "min_time": 0.0,
    "warmup": False,
}  # fmt: skip
MARK = "tare"
"""Key in `extra_info` under which stands what pytest-benchmark has no field for."""


def exportable(m: Measurement) -> bool:
    """Whether it is a time of which a sample counts."""
    return m.unit == "s" and bool(counted(m))


def export(run: Run) -> str:
    """Return every time of the run as a benchmark: a sample is a round of one iteration.

    Warm-ups and excluded samples are left out, as are figures of other units (see `exportable`).
    """
    env = run.environment
    document = {
        "machine_info": {
            "node": env.hostname or "",
            "machine": env.cpu.architecture or "",
            "system": "Linux",
            "release": env.kernel.release or "",
            "python_version": env.versions.get("python", ""),
            "cpu": {"brand_raw": env.cpu.model or "", "count": env.cpu.count or 0},
        },
        "commit_info": {"id": "", "dirty": False},
        "benchmarks": [_benchmark(run, m) for m in run.measurements if exportable(m)],
        "datetime": run.started,
        "version": __version__,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def _benchmark(run: Run, m: Measurement) -> dict[str, Any]:
    samples = counted(m)
    parts = [m.target, *(f"{name}={value}" for name, value in m.params.items())]
    name = f"{m.scenario}_{m.metric}[{'-'.join(parts)}]"
    kinds = {target.name: target.kind for target in run.targets}
    return {
        "group": f"{m.scenario} {m.metric}",
        "name": name,
        "fullname": f"{m.scenario}::{name}",
        "params": {"target": m.target, **m.params},
        "param": "-".join(parts),
        "extra_info": {
            MARK: {
                "scenario": m.scenario,
                "target": m.target,
                "kind": kinds[m.target],
                "metric": m.metric,
                "params": m.params,
                "accelerator": samples[0].accelerator,
                "boundary": m.boundary,
            }
        },
        "options": OPTIONS,
        "stats": _figures([s.value for s in samples]),
    }


def _figures(values: list[float]) -> dict[str, Any]:
    """Let pytest-benchmark itself work out its figures."""
    kind: Any = Stats  # without annotations
    stats = kind()
    for value in values:
        stats.update(value)
    return {**stats.as_dict(), "data": values, "iterations": 1}
