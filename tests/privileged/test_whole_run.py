"""What a real run leaves: files that keep their promises, figures that can be, and nothing else."""

import json
from collections import Counter
from itertools import groupby

import msgspec
import pytest

from bench import spares
from bench.results import validate
from bench.stats.summary import fits
from tests.conftest import residue

pytestmark = [pytest.mark.privileged, pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(900)]
MACHINES = {"vm", "vm-micro"}


def samples(run, scenario=None):
    return [
        (measurement, sample)
        for measurement in run.measurements
        if scenario in {None, measurement.scenario}
        for sample in measurement.samples
    ]


def undisturbed(run):
    """Return the run with every sample counted: what is tested is the measuring, not this host's quiet."""
    return msgspec.structs.replace(
        run,
        measurements=tuple(
            msgspec.structs.replace(
                m, samples=tuple(msgspec.structs.replace(sample, excluded=None) for sample in m.samples)
            )
            for m in run.measurements
        ),
    )


def values(run, scenario, target, metric, **params):
    return [
        sample.value
        for measurement, sample in samples(run, scenario)
        if measurement.target == target
        and measurement.metric == metric
        and params.items() <= measurement.params.items()
    ]


def test_startup_ends_well_and_validates(startup_run):
    assert startup_run.status == 0, startup_run.complaints
    validate(json.loads(startup_run.json.read_text()), origin=str(startup_run.json))
    assert startup_run.run.finished
    assert f"report   {startup_run.html}" in startup_run.output


def test_every_machine_sample_has_its_accelerator_and_the_run_its_proof(startup_run):
    run = startup_run.run
    found = {sample.accelerator for m, sample in samples(run) if m.target in MACHINES}
    assert found <= {"kvm", "kvm-nested", "tcg"}
    assert found
    assert {sample.accelerator for m, sample in samples(run) if m.target not in MACHINES} == {None}
    for target in ("vm", "vm-micro"):
        assert run.environment.accelerators[target].name in found
        assert "reached user space" in run.environment.accelerators[target].proof


def test_no_duration_is_negative_and_the_ladder_goes_up(startup_run):
    run = startup_run.run
    for target in ("native", "container", "vm", "vm-micro"):
        rungs = ["created", *(["kernel"] if target in MACHINES else []), "init", "listening", "ready"]
        for rung in zip(*(values(run, "startup", target, name) for name in rungs), strict=True):
            assert list(rung) == sorted(rung)
            assert rung[0] > 0
        assert min(values(run, "startup", target, "teardown")) > 0


def test_targets_are_interleaved_in_the_recorded_order(startup_run):
    turns = sorted(
        {(s.round, s.position, m.target, s.warmup) for m, s in samples(startup_run.run, "startup")},
    )
    counted = [target for _, _, target, warmup in turns if not warmup]
    longest = max(len(list(group)) for _, group in groupby(counted))
    assert longest <= 2, counted  # two in a row is what mirrored blocks allow
    planned = Counter({"native": 12, "container": 12, "vm": 3, "vm-micro": 3})
    again = Counter(counted) - planned
    assert Counter(counted) == planned + again
    spoilt = any(sample.excluded for _, sample in samples(startup_run.run, "startup") if not sample.warmup)
    assert bool(again) is spoilt  # what this host has set aside is taken again, and nothing else
    assert all(again[target] <= spares.most(count) for target, count in planned.items())
    assert again["native"] == again["container"]
    times = [min(s.at for m, s in samples(startup_run.run) if (s.round, s.position) == t[:2]) for t in turns]
    assert times == sorted(times)


def test_a_bare_process_is_ready_before_a_container_and_that_before_a_guest(startup_run):
    run = startup_run.run
    ready = {t: sorted(values(run, "startup", t, "ready")) for t in ("native", "container", "vm", "vm-micro")}
    middle = {target: found[len(found) // 2] for target, found in ready.items()}
    assert middle["native"] < middle["container"] < min(middle["vm"], middle["vm-micro"])


def test_everything_fast_ends_well(fast_run):
    assert fast_run.status == 0, fast_run.complaints
    run = fast_run.run
    assert not run.failures
    covered = {(m.scenario, m.target) for m, _ in samples(run)}
    for scenario in ("startup", "memory", "layers", "cpu"):
        assert {t for s, t in covered if s == scenario} == {"native", "container", "vm"}


def test_layers_are_in_the_page_cache_once_and_copies_are_not(fast_run):
    run = fast_run.run
    shared = {n: values(run, "layers", "container", "page_cache", n=n)[0] for n in (1, 2, 4)}
    copies = {n: values(run, "layers", "native", "page_cache", n=n)[0] for n in (1, 2, 4)}
    assert shared[4] == pytest.approx(shared[1], rel=0.02)
    assert copies[4] == pytest.approx(4 * copies[1], rel=0.02)
    linked = {n: values(run, "layers", "vm", "page_cache", n=n, layout="qcow2-linked")[0] for n in (1, 2)}
    full = {n: values(run, "layers", "vm", "page_cache", n=n, layout="qcow2-full")[0] for n in (1, 2)}
    assert linked[2] < 1.3 * linked[1]
    assert full[2] > 1.7 * full[1]
    own = {n: values(run, "layers", "vm", "guest_cache", n=n, layout="qcow2-linked")[0] for n in (1, 2)}
    assert own[2] == pytest.approx(2 * own[1], rel=0.1)


def test_layers_are_on_the_disk_once_and_copies_are_not(fast_run):
    run = fast_run.run
    shared = {n: values(run, "layers", "container", "disk", n=n)[0] for n in (1, 4)}
    copies = {n: values(run, "layers", "native", "disk", n=n)[0] for n in (1, 4)}
    assert shared[4] - shared[1] == pytest.approx(3 * 2**20, rel=0.1)  # a layer of 1 MiB each
    assert copies[4] == pytest.approx(4 * copies[1], rel=0.02)


def test_a_guest_costs_more_memory_than_a_container_and_the_ledger_adds_up(fast_run):
    run = fast_run.run
    slopes = {
        (fit.target, fit.metric): fit.line.slope.value
        for fit in fits(undisturbed(run))
        if fit.scenario == "memory" and fit.metric in {"pss", "cgroup_anon", "pss_anon"}
    }
    assert slopes["container", "cgroup_anon"] < 2 * 2**20 < 50 * 2**20 < slopes["vm", "cgroup_anon"]
    assert slopes["vm", "cgroup_anon"] == pytest.approx(slopes["vm", "pss_anon"], rel=0.05)
    assert "accounts" not in {caveat.code for caveat in run.warnings}


def test_the_kernel_memory_of_every_box_is_part_of_its_footprint(fast_run):
    run = fast_run.run
    for name in ("native", "container", "vm"):
        for part, kernel, whole in zip(
            *(values(run, "memory", name, metric, n=2) for metric in ("pss", "cgroup_kernel", "footprint")),
            strict=True,
        ):
            assert 0 < kernel == whole - part


def test_a_loop_of_work_gives_a_rate_everywhere(fast_run):
    works = {m.params["work"] for m, _ in samples(fast_run.run, "cpu")}
    assert works == {
        "integer",
        "floating-point",
        "memory-bandwidth",
        "short-system-calls",
        "context-switches",
        "fork",
    }
    assert all(sample.value > 0 for _, sample in samples(fast_run.run, "cpu"))


def test_a_run_leaves_nothing_behind(tare, tmp_path):
    before = residue()
    done = tare("run", "startup", "-t", "container,vm-micro", "-r", "1", "--json", tmp_path / "r.json", "-q")
    assert done.returncode == 0, done.stderr
    assert residue() - before == set()


def test_targets_are_listed_with_a_reason_each(tare):
    done = tare("list", "targets", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert list(found)[:5] == ["native", "container", "vm", "vm-micro", "vm-full"]
    assert all(row["reason"] and isinstance(row["available"], bool) for row in found.values())


def test_a_whole_debian_climbs_the_same_rungs(measured):
    outcome = measured("startup", "-t", "vm-full", "-r", "1", "--fast")
    assert outcome.status == 0, outcome.complaints
    rungs = ("created", "kernel", "init", "listening", "ready")
    last = [values(outcome.run, "startup", "vm-full", rung)[-1] for rung in rungs]
    assert last == sorted(last)
