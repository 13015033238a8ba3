"""A run as rows: one for each sample, with everything that the file says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.results import Measurement, Run, Sample

Cell = str | bool | int | float | None
FIELDS = (
    "run", "started", "scenario", "target", "metric", "unit", "value", "round", "position", "at", "warmup",
    "accelerator", "excluded",
)  # fmt: skip


def columns(run: Run) -> tuple[str, ...]:
    """Return the names of all columns: `FIELDS`, then `param_*`, then `sentinel_*`."""
    params = dict.fromkeys(f"param_{name}" for m in run.measurements for name in m.params)
    sentinels = dict.fromkeys(
        f"sentinel_{name}" for m in run.measurements for s in m.samples for name in s.sentinels
    )
    return (*FIELDS, *params, *sorted(sentinels))


def rows(run: Run) -> list[dict[str, Cell]]:
    """Return one row a sample, in the file's order; what a sample does not have is absent."""
    return [_row(run, m, s) for m in run.measurements for s in m.samples]


def _row(run: Run, m: Measurement, s: Sample) -> dict[str, Cell]:
    own: dict[str, Cell] = {
        "run": run.id, "started": run.started, "scenario": m.scenario, "target": m.target,
        "metric": m.metric, "unit": m.unit, "value": s.value, "round": s.round, "position": s.position,
        "at": s.at, "warmup": s.warmup, "accelerator": s.accelerator, "excluded": s.excluded,
    }  # fmt: skip
    params: dict[str, Cell] = {f"param_{name}": value for name, value in m.params.items()}
    return {**own, **params, **{f"sentinel_{name}": value for name, value in s.sentinels.items()}}
