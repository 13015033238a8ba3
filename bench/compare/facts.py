"""The facts of a host that can move a number, flat, so that two runs' can be laid side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from bench.results import Environment, Run

UNKNOWN = "unknown"
_GIB = 2**30


def facts(environment: Environment) -> dict[str, str]:
    """Return what is settled before a run as words, by the path in the result file.

    Left out is what changes from minute to minute: load, free memory, free space, used swap.
    """
    e = environment
    plain = {
        "hostname": e.hostname,
        "distribution": e.distribution,
        "virtualization": e.virtualization,
        "cgroup": e.cgroup,
        "kernel.release": e.kernel.release,
        "kernel.version": e.kernel.version,
        "kernel.clocksource": e.kernel.clocksource,
        "kernel.transparent_hugepages": e.kernel.transparent_hugepages,
        "kernel.ksm": e.kernel.ksm,
        "cpu.model": e.cpu.model,
        "cpu.architecture": e.cpu.architecture,
        "cpu.count": e.cpu.count,
        "cpu.governor": e.cpu.governor,
        "cpu.frequency_max": e.cpu.frequency_max,
        "memory.total": _gibibytes(e.memory.total),
        "memory.swap_total": _gibibytes(e.memory.swap_total),
        "storage.filesystem": e.storage.filesystem,
        "storage.options": e.storage.options,
    }
    found = {name: str(value) for name, value in plain.items() if value is not None}
    found |= {f"kernel.mitigations.{name}": state for name, state in e.kernel.mitigations.items()}
    found |= {f"accelerators.{name}": proof.name for name, proof in e.accelerators.items()}
    return found | {f"versions.{name}": version for name, version in e.versions.items()}


def described(run: Run, among: Container[tuple[str, str]] | None = None) -> dict[str, str]:
    """Return the facts of a run: its host's, and for each measured target its version and images.

    `among` are the pairs of scenario and target that matter; None: all.
    """
    found = facts(run.environment) | {"order": run.order}
    measured = [m for m in run.measurements if among is None or (m.scenario, m.target) in among]
    used = {m.target for m in measured}
    found |= {f"targets.{t.name}.version": t.version for t in run.targets if t.version and t.name in used}
    for m in measured:
        if m.image is not None:
            found[f"{m.scenario}.{m.target}.image"] = f"{m.image.reference} {m.image.digest[:19]}"
        if m.boundary:
            found[f"{m.scenario}.{m.target}.boundary"] = m.boundary
    return found


def differing(base: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the facts that are not the same on both sides, as (base, new)."""
    names = dict.fromkeys((*base, *new))
    pairs = {name: (base.get(name, UNKNOWN), new.get(name, UNKNOWN)) for name in names}
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other}


def _gibibytes(size: int | None) -> str | None:
    # The same machine offers some KiB more or less after each boot.
    return None if size is None else f"{size / _GIB:.1f} GiB"
