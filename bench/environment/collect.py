"""Puts the environment together."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from bench.environment import host as facts
from bench.environment.caveats import caveats
from bench.environment.host import Host
from bench.environment.hypervisor import takes_free_pages, virtualization
from bench.environment.survey import Survey
from bench.environment.versions import versions
from bench.results import Environment
from bench.sentinels import Sentinels

if TYPE_CHECKING:
    from pathlib import Path

STEAL_FIELD = 8  # "cpu user nice system idle iowait irq softirq steal …" (proc_stat(5))


def collect(data: Path, *, hostname: bool = False, host: Host | None = None) -> Survey:
    """Describe `host` (default: this one) with Tare's data root at `data`."""
    host = host or Host()
    environment = Environment(
        hostname=platform.node() if hostname else None,
        distribution=facts.distribution(host),
        virtualization=virtualization(host),
        cgroup=facts.cgroup(host),
        kernel=facts.kernel(host),
        cpu=facts.cpu(host),
        memory=facts.memory(host),
        storage=facts.storage(host, data),
        load=facts.load(host),
        versions=versions(data),
        unavailable=Sentinels(root=host.root).unavailable(),
    )
    found = caveats(environment, steal=stolen(host), reporting=takes_free_pages(host))
    return Survey(environment, found)


def stolen(host: Host) -> float | None:
    """Return the share of all CPU time since boot that the hypervisor under the host took."""
    fields = (host.text("proc/stat") or "").partition("\n")[0].split()[1 : STEAL_FIELD + 1]
    if len(fields) < STEAL_FIELD:
        return None
    ticks = [int(text) for text in fields]
    return ticks[-1] / sum(ticks) if sum(ticks) else None
