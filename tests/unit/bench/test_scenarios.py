import os
import subprocess
from collections import Counter
from itertools import groupby
from pathlib import Path

import msgspec
import pytest

from bench import ladder, residency
from bench import scenario as scenario_module
from bench.channel import Finished
from bench.errors import BenchFault, ImpossibleFigure
from bench.progress import progress
from bench.results import Target, Writer, load
from bench.scenario import Session, Sizes, turns
from bench.scenarios import layers as layers_module
from bench.scenarios.cpu import WORKS, Cpu, perform
from bench.scenarios.layers import Layers
from bench.scenarios.memory import Memory
from bench.scenarios.registry import scenarios
from bench.scenarios.startup import Startup
from tests.fakes.fake_target import DIGEST, FakeTarget, dying, obedient, virtual
from tests.fakes.sample_run import sample_run

OUTPUTS = {path.stem: path.read_text() for path in Path(__file__).parents[2].glob("fakes/outputs/*.txt")}
COMMANDS = {
    "sysbench cpu": "integer",
    "sysbench memory": "memory",
    "--cpu-method": "floating-point",
    "--null": "system-calls",
    "--switch": "context-switches",
    "--fork": "fork",
}
COUNTS = {
    "integer": 54680,
    "memory": 512192,
    "floating-point": 1395,
    "system-calls": 118707,
    "context-switches": 122893,
    "fork": 2231,
}
PRINTED = {part: OUTPUTS[name] for part, name in COMMANDS.items()}
TOOLS = obedient(PRINTED)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(scenario_module, "QUIET", 0)
    monkeypatch.setattr("bench.scenarios.memory.SETTLE", 0)
    monkeypatch.setattr(ladder, "PATIENCE", 2.0)


@pytest.fixture
def measure(tmp_path):
    """Runs a scenario on fake targets and returns the file that it wrote."""

    def run(scenario, *targets, **sizes):
        known = tuple(Target(name=t.name, title=t.title, kind=t.kind, available=True) for t in targets)
        empty = {"measurements": (), "failures": (), "warnings": (), "finished": None, "targets": known}
        header = msgspec.structs.replace(sample_run(), **empty)
        path = tmp_path / "run.json"
        with Writer(path, header) as writer, progress(quiet=True) as shown:
            order = Sizes(**{"mode": "fast", "seed": 1, **sizes})
            scenario.run(Session({t.name: t for t in targets}, order, writer, shown))
        return load(path)

    return run


def all_samples(run):
    return [(m, sample) for m in run.measurements for sample in m.samples]


def counted(run, metric):
    return Counter(m.target for m, s in all_samples(run) if m.metric == metric and not s.warmup)


def figures(run, target, **params):
    return {
        m.metric: [sample.value for sample in m.samples]
        for m in run.measurements
        if m.target == target and params.items() <= m.params.items()
    }


def in_order(run, metric):
    found = [(s.round, s.position, m.target, s.at) for m, s in all_samples(run) if m.metric == metric]
    return sorted(found)


# startup


def test_startup_records_every_rung_of_every_run(measure):
    run = measure(Startup(), FakeTarget("native"), virtual(), runs=3)
    assert set(figures(run, "native")) == {"created", "init", "listening", "ready", "teardown"}
    assert set(figures(run, "vm")) == {"created", "kernel", "init", "listening", "ready", "teardown"}
    assert {len(values) for values in figures(run, "vm").values()} == {4}  # a warm-up and three
    assert not run.failures


def test_no_duration_is_negative_and_rungs_follow_each_other(measure):
    run = measure(Startup(), FakeTarget("native"), virtual(), runs=3)
    assert all(sample.value >= 0 for _, sample in all_samples(run))
    rungs = figures(run, "vm")
    for names in (("created", "kernel"), ("kernel", "init"), ("init", "listening"), ("listening", "ready")):
        assert all(a <= b for a, b in zip(*(rungs[name] for name in names), strict=True))


def test_samples_of_machines_carry_their_accelerator_and_others_none(measure):
    run = measure(Startup(), FakeTarget("native"), virtual(), virtual("vm-micro"), runs=1)
    found = {m.target: s.accelerator for m, s in all_samples(run)}
    assert found == {"native": None, "vm": "tcg", "vm-micro": "tcg"}


def test_a_sample_says_what_was_measured_and_what_disturbed_it(measure):
    run = measure(Startup(), FakeTarget("native"), runs=1)
    for measurement, sample in all_samples(run):
        assert (measurement.image.reference, measurement.image.digest) == ("fake/agent", DIGEST)
        assert measurement.boundary == "a thread"
        assert sample.sentinels["window"] > 0
        assert sample.at > 0


def test_targets_are_interleaved_and_warm_up_first(measure):
    journal = []
    targets = [FakeTarget(name, journal=journal) for name in ("native", "container")]
    run = measure(Startup(), *targets, runs=6)
    order = in_order(run, "ready")
    assert [at for *_, at in order] == sorted(at for *_, at in order)
    assert max(len(list(same)) for _, same in groupby(target for *_, target, _ in order)) <= 2
    started = [line.split("-")[1] for line in journal if line.startswith("start ")]
    assert started == [target for *_, target, _ in order]
    warm = [s.round for _, s in all_samples(run) if s.warmup]
    assert set(warm) == {0}
    assert all(s.round > 0 for _, s in all_samples(run) if not s.warmup)


def test_blocked_order_measures_one_target_after_the_other(measure):
    journal = []
    targets = [FakeTarget(name, journal=journal) for name in ("native", "container")]
    measure(Startup(), *targets, runs=4, order="blocked")
    started = [line.split("-")[1] for line in journal if line.startswith("start ")]
    assert len(list(groupby(started))) == 2
    assert Counter(started) == {"native": 5, "container": 5}


def test_every_start_is_removed_before_the_next(measure):
    journal = []
    measure(Startup(), FakeTarget("native", journal=journal), virtual(journal=journal), runs=2)
    done = [line for line in journal if line.startswith(("start", "remove"))]
    assert [line.split()[0] for line in done] == ["start", "remove"] * 6
    assert all(a.split()[1] == b.split()[1] for a, b in zip(done[::2], done[1::2], strict=True))


@pytest.mark.parametrize("mode", ["fast", "default", "rigorous"])
def test_the_modes_differ_in_their_counts_and_runs_overrides_them(mode):
    own = Counter(
        slot.target for slot in turns(Startup(), Sizes(mode, 1), ["native", "vm"]) if not slot.warmup
    )
    assert own == {
        "native": {"fast": 10, "default": 20, "rigorous": 100}[mode],
        "vm": {"fast": 3, "default": 7, "rigorous": 20}[mode],
    }
    four = turns(Startup(), Sizes(mode, 1, runs=4), ["native", "vm"])
    assert Counter(slot.target for slot in four if not slot.warmup) == {"native": 4, "vm": 4}


def test_without_runs_the_file_has_the_modes_counts(measure):
    run = measure(Startup(), FakeTarget("native", behaviour=obedient()), virtual())
    assert counted(run, "ready") == {"native": 10, "vm": 3}


@pytest.mark.parametrize("behaviour", [dying, None])
def test_a_failing_start_is_noted_and_the_run_goes_on(measure, behaviour):
    target = FakeTarget("native")
    if behaviour:
        target.behaviours[2] = behaviour
    else:
        target.refusals[2] = BenchFault("no room for it", hint="make some", kind="host")
    run = measure(Startup(), target, runs=4)
    (failure,) = run.failures
    assert (failure.scenario, failure.target, failure.round) == ("startup", "native", 2)
    assert ("hung up" if behaviour else "no room for it") in failure.text
    assert [s.round for m, s in all_samples(run) if m.metric == "ready"] == [0, 1, 3, 4]
    assert run.finished
    assert all(instance.removed for instance in target.instances)


def test_a_removal_that_leaves_something_gives_no_sample(measure):
    run = measure(Startup(), FakeTarget("native", residue=["mount /x"]), runs=1)
    assert not run.measurements
    assert ["left behind: mount /x" in failure.text for failure in run.failures] == [True, True]


def test_an_interrupt_ends_the_run_with_what_it_has_and_removes_all(measure, tmp_path):
    target = FakeTarget("native", refusals={3: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        measure(Startup(), target, runs=5)
    run = load(tmp_path / "run.json")
    assert run.finished is None
    assert [s.round for m, s in all_samples(run) if m.metric == "ready"] == [0, 1, 2]
    assert all(instance.removed for instance in target.instances)


# memory


@pytest.fixture
def group(tmp_path):
    folder = tmp_path / "group"
    folder.mkdir()
    (folder / "memory.current").write_text("1")
    (folder / "memory.stat").write_text("anon 1000\nfile 700\nkernel 50\nshmem 200\n")
    return folder


def test_memory_grows_to_n_and_records_at_each(measure, group):
    target = FakeTarget("native", memory_cgroup=group)
    run = measure(Memory(), target, runs=1)
    for n in (1, 2, 4, 8):
        found = figures(run, "native", n=n)
        assert {name: found[f"cgroup_{name}"] for name in ("anon", "file", "kernel", "shmem")} == {
            "anon": [1000 * n], "file": [500 * n], "kernel": [50 * n], "shmem": [200 * n],
        }  # fmt: skip
        assert found["unexplained"][0] == found["mem_available_drop"][0] - 1250 * n
    assert all(line.endswith("with ledger") for line in target.journal if line.startswith("start"))
    assert len(target.instances) == 8
    assert all(instance.removed for instance in target.instances)


def test_memory_sums_the_processes_of_all_instances(measure):
    run = measure(Memory(), FakeTarget("native"), runs=1)  # real shells, real /proc
    for metric in ("pss", "uss", "page_tables"):
        one, *_, eight = (figures(run, "native", n=n)[metric][0] for n in (1, 2, 4, 8))
        assert 0 < one < eight


def test_memory_grows_one_target_at_a_time_and_each_round_anew(measure):
    journal = []
    measure(Memory(), FakeTarget("native", journal=journal), virtual(journal=journal), runs=2)
    alive, most = set(), 0
    for line in journal:
        verb, name, *_ = line.split()
        alive = alive | {name} if verb == "start" else alive - {name}
        assert len({name.split("-")[1] for name in alive if name.startswith("memory-")}) <= 1
        most = max(most, len(alive))
    assert most == 8
    assert sum(line.startswith("start memory-vm-") for line in journal) == 2 * 2


def test_a_box_that_dies_while_memory_grows_keeps_what_was_read(measure):
    target = FakeTarget("native", behaviours={5: dying})
    run = measure(Memory(), target, runs=2)
    assert [len(figures(run, "native", n=n)["pss"]) for n in (1, 2, 4, 8)] == [2, 2, 2, 1]
    (failure,) = run.failures
    assert (failure.scenario, failure.target) == ("memory", "native")
    assert all(instance.removed for instance in target.instances)


# layers


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("base", "top"):
        with (folder / name).open("wb") as stream:
            stream.write(os.urandom(2**20))
            os.fsync(stream.fileno())
    (folder / "again").hardlink_to(folder / "base")
    return folder


def reading(tree, *, said=None):
    """Return a box that reads its base, as far as the host's page cache is concerned."""

    def behave(inside):
        def read():
            (tree / "base").read_bytes()
            return f"{said or 50 * 2**20}\n"

        inside.say(b"\x1etare init\n\x1etare listening\n")
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
                continue
            output = read() if "cat {}" in words[2] else "Cached:  2048 kB\n" if "Cached" in words[2] else ""
            inside.say(output.encode(), f"\x1etare done {words[1]} 0\n".encode())

    return behave


def test_layers_counts_shared_files_once_and_what_was_read(measure, tree):
    in_memory = subprocess.run(["stat", "-f", "-c", "%T", tree], check=True, capture_output=True, text=True)
    if in_memory.stdout.strip() == "tmpfs":
        pytest.skip("the temporary directory is in memory: there is no page cache to drop (set TMPDIR)")
    target = FakeTarget("container", behaviour=reading(tree), images=[tree])
    run = measure(Layers(), target, runs=1)
    disk = residency.allocated([tree])
    for n in (1, 2, 4):
        found = figures(run, "container", n=n, layout="layers")
        assert found["disk"] == [disk]
        assert found["page_cache"] == [2**20]
        assert found["page_cache_before"] == [0]
        assert "guest_cache" not in found
    assert [box.workload for box in target.boxes] == ["layers-0", "layers-1", "layers-2", "layers-3"]


def test_layers_adds_what_each_instance_has_for_itself(measure, tree, tmp_path):
    def own(name):
        path = tmp_path / name
        path.write_bytes(b"x" * 2**20)
        return [path]

    target = virtual(behaviour=reading(tree), images=[tree], storage=own)
    run = measure(Layers(), target, runs=1)
    disks = {
        layout: [figures(run, "vm", n=n, layout=layout) for n in (1, 2)]
        for layout in ("qcow2-full", "qcow2-linked")
    }
    for one, two in disks.values():
        assert two["disk"][0] - one["disk"][0] >= 2**20
        assert (one["guest_cache"], two["guest_cache"]) == ([2 * 2**20], [4 * 2**20])
    assert {(box.root, box.workload) for box in target.boxes} == {
        ("full", "layers-base"),
        ("linked", "layers-base"),
    }
    writes = [line for instance in target.instances for line in instance.inside.asked if "urandom" in line]
    assert len(writes) == len(target.instances) == 4


def test_a_base_that_was_not_really_read_is_a_failure(measure, tree):
    run = measure(Layers(), FakeTarget("container", behaviour=reading(tree, said=1000)), runs=1)
    (failure,) = run.failures
    assert "too small: '1000'" in failure.text
    assert failure.target == "container"
    assert not run.measurements


def test_a_command_that_fails_inside_is_a_failure(measure):
    run = measure(Layers(), FakeTarget("native", behaviour=obedient(status=1)), runs=1)
    (failure,) = run.failures
    assert "failed with status 1" in failure.text


def test_every_layout_belongs_to_a_target_of_the_scenario():
    assert {layout.target for layout in layers_module.LAYOUTS.values()} == set(Layers.targets)
    assert set(Layers().counts("fast", ["vm"])) == {"qcow2-full", "qcow2-linked"}


# cpu


class Answering:
    """A channel on which a command has taken exactly two seconds of the host's clock."""

    def __init__(self, output):
        self.output = output

    def execute(self, command, deadline):
        return Finished(0, self.output, 2.0)


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_a_rate_is_what_was_done_by_the_clock_of_the_host(work):
    # The real outputs are of one second each by the clock inside, so its rates would be twice as high.
    assert perform(Answering(OUTPUTS[work.name]), work, 1) == COUNTS[work.name] / 2.0


def test_cpu_runs_every_class_once_in_each_instance(measure):
    target = FakeTarget("native", behaviour=TOOLS)
    run = measure(Cpu(), target, runs=2)
    assert {m.params["work"]: len(m.samples) for m in run.measurements} == dict.fromkeys(COUNTS, 2)
    assert all(sample.value > 0 for m in run.measurements for sample in m.samples)
    assert {(m.metric, m.unit) for m in run.measurements} == {("rate", "1/s")}
    assert len(target.instances) == 2


def test_the_order_of_the_classes_is_the_seeds(measure):
    def order(seed):
        target = FakeTarget("native", behaviour=TOOLS)
        measure(Cpu(), target, runs=2, seed=seed)
        return [
            [
                next(name for part, name in COMMANDS.items() if part in line)
                for line in instance.inside.asked[1:]
            ]
            for instance in target.instances
        ]

    first = order(1)
    assert order(1) == first != order(2)
    assert first[0] != first[1]
    assert all(sorted(works) == sorted(COUNTS) for works in first)


@pytest.mark.parametrize(("outputs", "status"), [({"": "no such program"}, 0), (PRINTED, 3)])
def test_a_program_that_gives_no_rate_is_a_failure(measure, outputs, status):
    target = FakeTarget("native", behaviour=obedient(outputs, status=status))
    run = measure(Cpu(), target, runs=1)
    (failure,) = run.failures
    assert f"gave no number of operations: status {status}" in failure.text
    assert not run.measurements
    assert target.instances[0].removed


def test_the_seconds_of_the_mode_are_asked_for(measure):
    target = FakeTarget("native", behaviour=TOOLS)
    measure(Cpu(), target, runs=1, mode="default")
    asked = [line for line in target.instances[0].inside.asked if "exec" in line]
    assert len(asked) == len(WORKS)
    assert all("--time=2 " in line or " -t 2 " in line for line in asked)


# all


def test_scenarios_are_known_by_their_names_and_measure_known_targets():
    known = scenarios()
    assert list(known) == ["startup", "memory", "layers", "cpu"]
    assert all(name == scenario.name and scenario.title for name, scenario in known.items())


@pytest.mark.parametrize("scenario", scenarios().values(), ids=lambda scenario: scenario.name)
def test_targets_that_a_scenario_does_not_know_get_no_turn(scenario):
    assert turns(scenario, Sizes("fast", 1), ["docker"]) == []
    slots = turns(scenario, Sizes("fast", 1), ["docker", "native"])
    assert slots
    assert {slot.target for slot in slots} <= {"native", "flattened"}


ANSWERS = obedient({"cat {}": f"{50 * 2**20}\n", "Cached": "Cached: 2048 kB\n", **PRINTED})


@pytest.mark.parametrize("name", scenarios())
def test_a_figure_that_cannot_be_ends_the_run_and_is_no_mere_failure(measure, tmp_path, name):
    target = FakeTarget("vm", "vm", behaviour=ANSWERS)  # a machine whose samples name no accelerator
    with pytest.raises(ImpossibleFigure, match="kind vm says no accelerator"):
        measure(scenarios()[name], target, runs=1)
    run = load(tmp_path / "run.json")
    assert (run.finished, run.measurements, run.failures) == (None, (), ())
    assert target.instances
    assert all(instance.removed for instance in target.instances)
