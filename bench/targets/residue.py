"""What processes that were killed have left behind."""

from pathlib import Path

from bench.targets.faults import translated
from runtime.container import records
from vmdriver.prune import prune as prune_guests


def prune(data: Path, run: Path) -> list[str]:
    """Remove it and return it in words. Guests go first: their memory cgroups are recorded as containers."""
    with translated():
        return prune_guests(run, data) + [f"container {name}" for name in records.prune(run, data)]
