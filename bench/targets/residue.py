"""What processes that were killed have left behind."""

from collections.abc import Callable
from pathlib import Path

from bench.targets.faults import translated
from bench.targets.oci_record import prune as prune_oci
from runtime.container.prune import prune as prune_containers
from runtime.container.scratch import prune as prune_scratch
from vmdriver.prune import prune as prune_guests


def prune(data: Path, run: Path, say: Callable[[str], None]) -> list[str]:
    """Remove it and return it in words. Guests go first: their memory cgroups are recorded as containers.

    `say` hears a line about each thing that has to stay although its record is damaged.
    """
    with translated():
        guests = prune_guests(run, data, say)
        containers = prune_containers(run, data, say)
        others = prune_oci(run)
        # After the containers, which may have it mounted; a build's secrets are below the run root.
        scratch = [*prune_scratch(data), *prune_scratch(run)]
    return [
        *guests,
        *(f"container {name}" for name in (*containers, *others)),
        *(f"directory {name}" for name in scratch),
    ]
