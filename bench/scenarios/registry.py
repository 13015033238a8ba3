"""Every scenario that Tare knows, by name, in the order of a run."""

from collections.abc import Mapping, Sequence

from bench.scenario import Scenario
from bench.scenarios.anywhere import Anywhere
from bench.scenarios.build import Build
from bench.scenarios.contention import Contention
from bench.scenarios.copy_on_write import CopyOnWrite
from bench.scenarios.cpu import Cpu
from bench.scenarios.density import Density
from bench.scenarios.distribution import Distribution
from bench.scenarios.io import Io
from bench.scenarios.isolation import Isolation
from bench.scenarios.layers import Layers
from bench.scenarios.layers_integrity import LayersIntegrity
from bench.scenarios.lifecycle import Lifecycle
from bench.scenarios.limits import Limits
from bench.scenarios.memory import Memory
from bench.scenarios.network import Network
from bench.scenarios.overlay_lookup import OverlayLookup
from bench.scenarios.recovery import Recovery
from bench.scenarios.registry_life import RegistryLife
from bench.scenarios.startup import Startup

METRICS: Mapping[str, tuple[str, ...]] = {
    "startup": ("created", "kernel", "init", "listening", "ready", "teardown"),
    "memory": (
        "footprint", "pss", "pss_anon", "uss", "rss", "shared", "page_tables", "cgroup_anon", "cgroup_file",
        "cgroup_kernel", "cgroup_shmem", "mem_available_drop", "ksm_shared", "unexplained", "pss_of",
    ),
    "layers": ("disk", "page_cache", "page_cache_before", "guest_cache"),
    "cpu": ("rate",),
    "copy-on-write": (
        "copied_by_reading", "copied_by_first_write", "copied_by_second_write", "first_write", "second_write",
    ),
    "overlay-lookup": (
        "first_lookup", "next_lookup", "topmost", "whiteout_hides", "opaque_hides", "directories_merge",
    ),
    "layers-integrity": (
        "writes_land", "layers_unchanged", "layers_out_of_reach", "image_unchanged", "sound_copy_passes",
        "changed_blob_found", "changed_document_found", "changed_file_found",
    ),
    "io": ("rate",),
    "network": ("rate",),
    "density": ("instances", "by_memory", "memory_each", "cpu_each", "disk_each"),
    "build": (
        "duration", "overlap", "secret_stays", "layers_per_program", "layers_per_instruction", "needs_root",
        "lab", "part",
    ),
    "distribution": ("pushed", "pulled", "moved", "arrival", "running"),
    "anywhere": ("same_output", "same_output_elsewhere"),
    "registry": ("works", "origin_bytes"),
    "limits": ("delivered", "within_limit_lives", "over_limit_dies", "neighbour_lives"),
    "lifecycle": ("create", "answer", "delete", "disk"),
    "isolation": ("isolated",),
    "contention": ("latency_p50", "latency_p99", "slowdown", "recovery"),
    "recovery": ("noticed", "cleared", "recovered"),
}  # fmt: skip
"""What each scenario measures, so that a threshold for anything else is refused before the first sample."""

STANDARD = ("startup", "memory", "layers", "cpu")
"""What a run without the names of scenarios measures."""


def scenarios(variants: Sequence[str] = ()) -> Mapping[str, Scenario]:
    """Return all scenarios; `variants` names versions of targets, which take part in all but `layers`.

    That one compares ways to store an image, with images of its own.
    """
    known: tuple[Scenario, ...] = (
        Startup(variants), Memory(variants), Layers(), Cpu(variants), CopyOnWrite(variants),
        OverlayLookup(variants), LayersIntegrity(variants), Io(variants), Network(variants),
        Density(variants), Build(), Distribution(), Anywhere(), RegistryLife(), Limits(variants),
        Lifecycle(variants), Isolation(variants), Contention(variants), Recovery(variants),
    )  # fmt: skip
    return {scenario.name: scenario for scenario in known}
