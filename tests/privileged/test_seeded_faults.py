"""Faults that are built in on purpose, each into Tare's real container, and the verdict that has to change.

Nothing is set aside here for other load on this host: each fault is far larger than what that does.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.scenarios import layers, memory
from bench.stats.comparison import compare
from bench.stats.summary import counted, fits
from bench.targets.container import Container
from bench.targets.native import Native
from bench.targets.variants import VersionLauncher
from bench.workloads.agent import PATH as AGENT
from runtime.container.scratch import scratch
from tests.calibration.delayed import Delayed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.target import Box
    from bench.targets.container import ContainerLauncher

pytestmark = [pytest.mark.privileged, pytest.mark.timeout(300)]
MIB = 2**20
LEAK = 5 * MIB
LEAKING = f"(kept=$(head -c {LEAK} /dev/zero | tr '\\0' x); while :; do sleep 60; done) & exec {AGENT}"
HASTY = rf"printf '\036tare init\n\036tare listening\n\036tare pong 1\n'; sleep 0.2; exec {AGENT}"
"""Says at once that it is ready, and answers the request that one would number first; then starts."""


@dataclass(frozen=True)
class Faulty:
    """Tare's container with `fault` in what was prepared, or in what is asked."""

    target: Container
    fault: Callable[[ContainerLauncher], ContainerLauncher] = lambda launcher: launcher
    ask: Callable[[Box], Box] = lambda box: box
    name: str = "container"
    title: str = "faulty"
    kind: str = "container"

    @contextmanager
    def launcher(self, box: Box) -> Iterator[ContainerLauncher]:
        """Prepare it, faulty."""
        with self.target.launcher(self.ask(box)) as launcher:
            yield self.fault(launcher)


@dataclass(frozen=True)
class Named:
    """A target under another name, such as a version has."""

    target: Any
    name: str
    title: str = "the same"
    kind: str = "container"

    @contextmanager
    def launcher(self, box: Box) -> Iterator[VersionLauncher]:
        """Prepare it; no container's name has an @ in it."""
        with self.target.launcher(box) as launcher:
            yield VersionLauncher(launcher, self.name)


def running(script: str) -> Callable[[ContainerLauncher], ContainerLauncher]:
    """A fault in the program that runs inside."""
    return lambda launcher: replace(launcher, spec=replace(launcher.spec, args=("/bin/sh", "-c", script)))


def parts(record):
    return {part["part"]: part["verdict"] for part in record["parts"]}


def values(run, metric, target, **params):
    (found,) = [
        m for m in run.measurements
        if (m.metric, m.target) == (metric, target) and params.items() <= m.params.items()
    ]  # fmt: skip
    return [sample.value for sample in counted(found)]


def test_a_start_that_is_20_ms_late_is_slower_and_the_same_once_more_is_not(drivers, judged):
    names = ("container@same", "container@late")
    sound = Container(drivers)
    both = [Named(Delayed(sound, name, late), name) for name, late in zip(names, (0, 0.020), strict=True)]
    wanted = {"startup": dict.fromkeys(("container", *names), 12)}
    run, _ = judged(sound, *both, wanted=wanted, variants=names)
    base = values(run, "ready", "container")
    late, same = (compare(values(run, "ready", name), base, paired=True) for name in reversed(names))
    assert late.verdict == "higher"
    assert late.ratio.low > 1
    assert same.verdict != "higher" or same.ratio.value < late.ratio.value / 1.5


def test_a_leak_of_5_mib_costs_that_much_per_instance_and_is_found(drivers, judged, monkeypatch):
    monkeypatch.setitem(memory.SIZES["fast"], "container", (1, 2))
    names = ("container@same", "container@leaky")
    sound = Container(drivers)
    both = Named(sound, names[0]), Named(Faulty(sound, running(LEAKING)), names[1])
    wanted = {"memory": dict.fromkeys(("container", *names), 6)}
    run, _ = judged(sound, *both, wanted=wanted, variants=names)
    for metric in ("pss", "cgroup_anon"):
        slopes = {
            fit.target: fit.line.slope.value for fit in fits(run)
            if (fit.scenario, fit.metric) == ("memory", metric)
        }  # fmt: skip
        # A shell keeps what it reads in more than one place; what it leaks is at least what it was told.
        assert LEAK <= slopes[names[1]] - slopes["container"] <= 4 * LEAK, slopes
    base = values(run, "pss", "container", n=2)
    same, leaky = (compare(values(run, "pss", name, n=2), base, paired=True) for name in names)
    assert (leaky.verdict, leaky.ratio.value > 2) == ("higher", True)
    assert same.verdict != "higher"


def test_layers_that_are_copied_refute_that_they_are_shared(drivers, judged, monkeypatch):
    monkeypatch.setitem(layers.SIZES["fast"], "container", (1, 2))  # each copy is 100 MiB
    with scratch(drivers.data) as place:

        def copied(launcher):
            own = place / str(len(list(place.iterdir())))
            own.mkdir()
            copies = []
            for layer in launcher.spec.layers:
                subprocess.run(["cp", "-a", "--reflink=never", layer, own], check=True)
                copies.append(own / Path(layer).name)
            found = tuple(copies)
            return replace(
                launcher, spec=replace(launcher.spec, layers=found),
                prepared=replace(launcher.prepared, storage=found),
            )  # fmt: skip

        wanted = {"layers": {"container": 3, "layers": 3}}
        claims = ("layers-disk", "layers-memory")
        run, found = judged(Faulty(Container(drivers), copied), claims=claims, wanted=wanted)
    assert not run.failures
    assert parts(found["layers-disk"])["disk of one more image in layers"] == "refuted"
    assert parts(found["layers-memory"])["page cache of one more image in layers"] == "refuted"


def test_who_lies_about_being_ready_is_not_supported(drivers, judged):
    claims = ("startup-container",)
    sound, lying = Container(drivers), Faulty(Container(drivers), running(HASTY))
    assert judged(sound, claims=claims)[1]["startup-container"]["verdict"] == "supported"
    run, found = judged(lying, claims=claims)
    part, _ = found["startup-container"]["parts"]
    assert (part["verdict"], part["why"]) == ("not evaluable here", "failed")
    assert "answered 'pong 1' to" in run.failures[0].text
    assert not run.measurements


def test_who_ignores_its_cpu_limit_refutes_that_it_is_one(drivers, judged):
    claims = ("isolation-cgroups",)
    native = Native(drivers)
    run, found = judged(native, Container(drivers), claims=claims)
    assert not run.failures
    assert set(parts(found["isolation-cgroups"]).values()) == {"supported"}
    free = Faulty(Container(drivers), ask=lambda box: replace(box, cpus=64))
    _, found = judged(native, free, claims=claims)
    said = parts(found["isolation-cgroups"])
    assert found["isolation-cgroups"]["verdict"] == "partly"
    assert said["CPU at a limit of 10 %"] == "refuted"
    assert said["its neighbour lives"] == "supported"
