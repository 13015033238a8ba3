"""A synthetic run of all scenarios and targets: plausible sizes, known truth, no host needed."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

import msgspec

from bench.results import (
    Caveat,
    Cpu,
    Environment,
    ExclusionRule,
    Failure,
    Image,
    Kernel,
    Measurement,
    Memory,
    Proof,
    Run,
    Sample,
    Storage,
    Target,
    new_id,
)

MIB = 2**20
VMS = ("vm", "vm-micro", "vm-full")
TARGETS = (
    Target(name="native", title="native process", kind="native", available=True, version="6.18"),
    Target(name="container", title="container (Tare)", kind="container", available=True, version="0.1.0"),
    Target(name="vm", title="VM, q35, direct kernel boot", kind="vm", available=True, version="QEMU 7.2"),
    Target(name="vm-micro", title="VM, microvm", kind="vm", available=True, version="QEMU 7.2"),
    Target(
        name="vm-full", title="VM, full Debian from firmware", kind="vm", available=True, version="QEMU 7.2"
    ),
    Target(
        name="docker", title="docker run", kind="container", available=False, reason="no docker on this host"
    ),
)
# Seconds from the request to created, kernel, init, listening, ready; then from stop to gone.
LADDER: dict[str, dict[str, float]] = {
    "native": {"created": 0.0006, "init": 0.0009, "listening": 0.0016, "ready": 0.0018, "teardown": 0.0004},
    "container": {"created": 0.0031, "init": 0.0040, "listening": 0.0049, "ready": 0.0052, "teardown": 0.006},
    "vm": {"created": 0.31, "kernel": 0.95, "init": 2.6, "listening": 2.72, "ready": 2.75, "teardown": 1.3},
    "vm-micro": {
        "created": 0.29,
        "kernel": 0.6,
        "init": 1.5,
        "listening": 1.6,
        "ready": 1.62,
        "teardown": 1.25,
    },
    "vm-full": {
        "created": 0.33,
        "kernel": 3.4,
        "init": 6.2,
        "listening": 13.8,
        "ready": 13.9,
        "teardown": 1.6,
    },
}
# Bytes per further instance, in MiB.
LEDGER_LINES = ("pss", "pss_anon", "uss", "cgroup_anon", "cgroup_file", "cgroup_kernel", "page_tables")
LEDGER: dict[str, tuple[float | None, ...]] = {
    "native": (0.4, 0.2, 0.2, 0.2, 0.01, 0.1, 0.06),
    "container": (0.6, 0.25, 0.3, 0.25, 0.05, 0.4, 0.07),
    "vm": (108, 96, 101, 96, 2, 3, 0.5),
    "vm-micro": (72, 63, 66, 63, 2, 2, 0.4),
    "vm-full": (240, 226, 231, 226, 4, 4, 0.8),
}
# MiB of disk: of the first image and of each further one; then the same for pages in the host's cache.
LAYOUTS: dict[str, tuple[str, tuple[float, float], tuple[float, float], tuple[float, float] | None]] = {
    "layers": ("container", (120, 2), (14, 0.3), None),
    "flattened": ("container", (122, 122), (14, 14), None),
    "qcow2-full": ("vm", (160, 160), (15, 15), (14, 14)),
    "qcow2-linked": ("vm", (160, 3), (15, 0.9), (14, 14)),
}
RATES: dict[str, tuple[float, float, float]] = {  # native, container, VM under emulation
    "integer": (1450.0, 1442.0, 96.0),
    "float": (2100.0, 2094.0, 61.0),
    "memory": (5200.0, 5170.0, 410.0),
    "context-switch": (230000.0, 221000.0, 8700.0),
}
IMAGE = Image(reference="busybox:latest", digest="sha256:" + "ab" * 32)


def sample_run(seed: int = 1, *, rounds: int = 8) -> Run:
    """Return a run of all scenarios that have charts; the same seed gives the same run."""
    rng = random.Random(seed)
    measurements = [*_startup(rng, rounds), *_memory(rng), *_layers(rng), *_overlay(rng), *_cpu(rng, rounds)]
    return Run(
        id=new_id(suffix=f"{seed:06x}"),
        started="2026-11-23T20:15:00.000Z",
        finished="2026-11-23T20:24:31.250Z",
        command=("tare", "run", "--seed", str(seed), "--json", "run.json"),
        seed=seed,
        mode="default",
        order="interleaved",
        environment=_environment(),
        targets=TARGETS,
        exclusion_rules=(
            ExclusionRule(
                code="steal", text="the hypervisor took more than 5 % of the CPU time", threshold=0.05
            ),
        ),
        measurements=tuple(measurements),
        failures=(Failure(scenario="startup", target="vm-full", round=3, text="no ready within 120 s"),),
        warnings=(
            Caveat(code="emulated", text="guests run under TCG", remedy="use a host whose KVM boots a guest"),
        ),
    )


def startup_run(seed: int = 1) -> Run:
    """Return a run of the startup scenario alone."""
    run = sample_run(seed)
    return msgspec.structs.replace(
        run, measurements=tuple(m for m in run.measurements if m.scenario == "startup"), failures=()
    )


def _sample(
    rng: random.Random, target: str, value: float, index: int, *, position: int = 0, warmup: bool = False
) -> Sample:
    stolen = rng.random() < 0.04
    return Sample(
        value=value,
        round=index,
        position=position,
        at=round(1.0 + index * 31.0 + position * 6.0 + rng.random(), 6),
        warmup=warmup,
        accelerator="tcg" if target in VMS else None,
        sentinels={
            "cpu_some": round(rng.random() * 0.02, 6),
            "steal": 0.08 if stolen else round(rng.random() * 0.004, 6),
            "load_other": round(rng.random() * 0.1, 4),
        },
        excluded="steal" if stolen and not warmup else None,
    )


def _measurement(
    scenario: str, target: str, metric: str, unit: str, samples: list[Sample], **params: str | int
) -> Measurement:
    return Measurement(
        scenario=scenario,
        target=target,
        metric=metric,
        unit=unit,  # type: ignore[arg-type]
        params=dict(params),
        image=IMAGE if target != "native" else None,
        boundary=f"{metric} of {target}, everything that exists because the instance exists",
        samples=tuple(samples),
    )


def _startup(rng: random.Random, rounds: int) -> list[Measurement]:
    rows = []
    for place, (target, ladder) in enumerate(LADDER.items()):
        count = rounds if target in VMS else rounds * 4
        starts = [
            _sample(rng, target, math.exp(rng.gauss(0, 0.06)), index, position=place, warmup=index == 0)
            for index in range(count + 1)
        ]
        for metric, seconds in ladder.items():
            # One start gives all metrics: they share its disturbances and its exclusion.
            samples = [msgspec.structs.replace(start, value=seconds * start.value) for start in starts]
            rows.append(_measurement("startup", target, metric, "s", samples))
    return rows


def _memory(rng: random.Random) -> list[Measurement]:
    rows = []
    for place, (target, column) in enumerate(LEDGER.items()):
        ledger = {line: mib for line, mib in zip(LEDGER_LINES, column, strict=True) if mib is not None}
        known = ledger["pss"] + ledger.get("cgroup_kernel", 0) + ledger["page_tables"]
        lines = {**ledger, "mem_available_drop": known * 1.03, "ksm_shared": 0.0, "unexplained": known * 0.03}
        if "cgroup_kernel" in ledger:
            lines["footprint"] = ledger["pss"] + ledger["cgroup_kernel"]
        for count in (1, 2, 4) if target == "vm-full" else (1, 2, 4, 8):
            for metric, mib in lines.items():
                samples = [
                    _sample(
                        rng,
                        target,
                        round((mib * count + 0.2) * MIB * rng.gauss(1, 0.01)),
                        index,
                        position=place,
                    )
                    for index in range(3)
                ]
                rows.append(_measurement("memory", target, metric, "B", samples, n=count))
    return rows


def _layers(rng: random.Random) -> list[Measurement]:
    rows = []
    for layout, (target, disk, cache, guest) in LAYOUTS.items():
        for count in (1, 2, 4, 8):
            for metric, cost in {"disk": disk, "page_cache": cache, "guest_cache": guest}.items():
                if cost is not None:
                    size = round((cost[0] + cost[1] * (count - 1)) * MIB)
                    samples = [_sample(rng, target, size + rng.randrange(4096), index) for index in range(3)]
                    rows.append(_measurement("layers", target, metric, "B", samples, n=count, layout=layout))
    return rows


def _overlay(rng: random.Random) -> list[Measurement]:
    shapes = [  # scenario, parameter and its values, metric, place, constant seconds, seconds for each one
        ("copy-on-write", "size", (4096, MIB, 64 * MIB), "first_write", "overlay", 1e-3, 1e-9),
        ("copy-on-write", "size", (4096, MIB, 64 * MIB), "second_write", "overlay", 9e-4, 0.0),
        ("copy-on-write", "size", (4096, MIB, 64 * MIB), "first_write", "volume", 9e-4, 0.0),
        ("overlay-lookup", "layers", (1, 10, 100), "first_lookup", "every layer", 1e-5, 1e-6),
        ("overlay-lookup", "layers", (1, 10, 100), "next_lookup", "every layer", 1e-5, 0.0),
        ("overlay-lookup", "layers", (1, 10, 100), "first_lookup", "one layer", 1.5e-5, 0.0),
    ]
    rows = []
    for scenario, over, values, metric, place, base, each in shapes:
        for value in values:
            samples = [
                _sample(rng, "container", (base + each * value) * rng.gauss(1, 0.03), i) for i in range(4)
            ]
            params: dict[str, str | int] = {over: value, "place": place}
            rows.append(_measurement(scenario, "container", metric, "s", samples, **params))
    return rows


def _cpu(rng: random.Random, rounds: int) -> list[Measurement]:
    rows = []
    for place, target in enumerate(LADDER):
        for work, (native, container, emulated) in RATES.items():
            rate = {"native": native, "container": container}.get(target, emulated)
            samples = [
                _sample(rng, target, rate * rng.gauss(1, 0.008), index, position=place)
                for index in range(rounds)
            ]
            rows.append(_measurement("cpu", target, "rate", "1/s", samples, work=work))
    return rows


def _environment() -> Environment:
    proof = "a guest reached user space under tcg; under kvm none did within 8 s although /dev/kvm exists"
    return Environment(
        distribution="Debian GNU/Linux 12 (bookworm)",
        virtualization="kvm",
        cgroup="hybrid",
        kernel=Kernel(
            release="6.18.5", version="#1 SMP", clocksource="tsc", transparent_hugepages="madvise", ksm="0",
            mitigations={"spectre_v2": "Mitigation: Enhanced IBRS"},
        ),
        cpu=Cpu(model="Example CPU @ 2.6 GHz", architecture="x86_64", count=2),
        memory=Memory(total=24 * 2**30, available=21 * 2**30, swap_total=0, swap_used=0),
        storage=Storage(filesystem="ext4", options="rw,relatime", total=200 * 2**30, free=120 * 2**30),
        load=(0.12, 0.2, 0.15),
        accelerators={name: Proof(name="tcg", proof=proof, seconds=2.8) for name in VMS},
        versions={"tare": "0.1.0", "python": "3.11.7", "qemu": "7.2.19", "libvirt": "9.0.0"},
        unavailable=("cpu frequency", "thermal throttling"),
    )  # fmt: skip


if __name__ == "__main__":
    data = msgspec.json.format(msgspec.json.encode(sample_run(int(sys.argv[2]) if sys.argv[2:] else 1)))
    Path(sys.argv[1]).write_bytes(data)
