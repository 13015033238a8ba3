"""A run that is killed at a random moment loads, resumes, and ends as if it had never been killed."""

import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace

import msgspec
import pytest

from bench import calibration, harness, ladder
from bench import session as session_module
from bench.cli.pacing import subcommand, words
from bench.environment import Survey
from bench.errors import BenchFault
from bench.harness import Plan, execute
from bench.results import Cpu, Environment, load
from bench.scenarios.registry import scenarios
from bench.sizes import Sizes
from tests.fakes.fake_target import FakeTarget, virtual
from tests.fakes.figures import all_samples

RUNS = 4
MOMENTS = 30 if os.environ.get("TARE_TORTURE") == "full" else 10
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(session_module, "QUIET", 0)
    monkeypatch.setattr("bench.scenarios.memory.SETTLE", 0)
    monkeypatch.setattr(ladder, "PATIENCE", 5.0)
    monkeypatch.setattr(calibration, "ECHOES", 3)
    monkeypatch.setattr(harness, "prune", lambda *_: [])
    monkeypatch.setattr(harness, "survey", lambda _data: Survey(Environment(), ()))
    monkeypatch.setattr(harness, "judged", lambda *_: [])
    monkeypatch.setattr(calibration, "own_costs", lambda: iter(()))


@pytest.fixture
def plan(tmp_path, monkeypatch):
    def make(name="run.json", names=("startup", "memory"), **changes):
        known = FakeTarget("native"), FakeTarget("container"), virtual("vm")
        monkeypatch.setattr(harness, "targets", lambda _drivers: {target.name: target for target in known})
        return Plan(
            data=tmp_path / "data", run=tmp_path / "state", file=tmp_path / name, command=("tare", "run"),
            scenarios=tuple(scenarios()[name] for name in names), quiet=True,
            sizes=Sizes("fast", 7, runs=RUNS), **changes,
        )  # fmt: skip

    return make


def order(run):
    """Every turn that gave a sample, in the order in which it was taken."""
    return list(dict.fromkeys((m.scenario, s.round, s.position, m.target, s.warmup)
                              for m, s in sorted(all_samples(run), key=lambda pair: pair[1].at)))  # fmt: skip


def counted(run):
    return [turn for turn in order(run) if not turn[4]]


def sizes(run):
    """How many samples each size of the memory scenario has: a turn that was cut in half would show."""
    return {
        (m.target, m.metric, m.params["n"]): len(m.samples)
        for m in run.measurements
        if m.scenario == "memory"
    }


def test_killed_at_any_moment_it_resumes_as_if_it_had_never_been(plan, tmp_path):
    whole = execute(plan("whole.json"))
    began = time.monotonic()
    execute(plan("again.json"))
    took = time.monotonic() - began
    expected = counted(whole)
    chance, caught = random.Random(1), 0
    for attempt in range(5 * MOMENTS):
        if caught == MOMENTS:
            break
        asked = plan(f"{attempt}.json")
        child = FORK.Process(target=execute, args=(asked,))
        child.start()
        time.sleep(chance.uniform(0, took))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        if not asked.file.exists():
            continue  # before its first write
        if load(asked.file).finished:
            took *= 0.9  # the host has become faster
            continue
        caught += 1
        before = load(asked.file)
        done = execute(replace(asked, resume=True))
        assert done.finished
        assert (done.id, done.seed, len(done.resumed)) == (before.id, before.seed, 1)
        assert counted(done) == expected
        assert sizes(done) == sizes(whole)
        assert {s.at for m, s in all_samples(before) if m.scenario == "startup"} <= {
            s.at for _, s in all_samples(done)
        }
    assert caught == MOMENTS


def test_a_run_that_ended_has_nothing_to_resume(plan):
    execute(plan())
    with pytest.raises(BenchFault, match="ended in order") as caught:
        execute(plan(resume=True))
    assert caught.value.kind == "usage"


def cut(path):
    run = load(path)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, finished=None)))


def test_other_targets_would_be_another_order(plan, monkeypatch):
    execute(plan())
    asked = plan(resume=True)
    cut(asked.file)
    gone = FakeTarget("native"), FakeTarget("container", available=False), virtual("vm")
    monkeypatch.setattr(harness, "targets", lambda _drivers: {target.name: target for target in gone})
    with pytest.raises(BenchFault, match="have changed since the run began: container") as caught:
        execute(asked)
    assert caught.value.kind == "host"


def test_another_host_is_told(plan, monkeypatch):
    execute(plan())
    asked = plan(resume=True)
    cut(asked.file)
    other = Environment(cpu=Cpu(model="another"))
    monkeypatch.setattr(harness, "survey", lambda _data: Survey(other, ()))
    done = execute(asked)
    (caveat,) = [caveat for caveat in done.warnings if caveat.code == "resumed"]
    assert "processor" in caveat.text


def test_when_the_time_is_up_no_turn_begins_and_the_file_says_so(plan):
    done = execute(plan(max_time=0.05))
    assert done.finished
    (caveat,) = [caveat for caveat in done.warnings if caveat.code == "time"]
    assert "memory vm" in caveat.text


@pytest.mark.parametrize(
    ("line", "rest"),
    [(("tare", "run", "startup", "-r", "3"), ("startup", "-r", "3")),
     (("tare", "--root", "run", "run", "cpu"), ("cpu",)), (("tare", "--root=/x", "run"), ())],
)  # fmt: skip
def test_the_options_of_a_run_stand_behind_its_name(line, rest):
    assert tuple(words(line)) == rest


@pytest.mark.parametrize(
    ("line", "name"),
    [(("tare", "run", "-q"), "run"), (("tare", "--root", "run", "claims", "run"), "claims"),
     (("tare", "--root=/x", "claims"), "claims"), (("tare", "--root", "run"), "")],
)  # fmt: skip
def test_the_subcommand_is_neither_an_option_nor_its_value(line, name):
    assert subcommand(line) == name


def test_a_run_for_claims_is_not_taken_up_as_another(tare, plan):
    asked = replace(plan(), command=("tare", "claims", "startup-vm", "--seed", "7"))
    execute(asked)
    cut(asked.file)
    before = asked.file.read_bytes()
    done = tare("run", "--resume", asked.file)
    assert done.code == 2
    assert "not begun by `tare run`" in done.err
    assert "tare claims startup-vm --seed 7" in done.err
    assert asked.file.read_bytes() == before


BEGAN = ("tare", "run", "startup", "-t", "native,container", "-r", "4", "--fast")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["-r", "9"], "another --runs"),
        (["-t", "native"], "another --targets"),
        (["memory"], "another SCENARIO"),
        (["--seed", "8"], "another --seed"),
        (["--rigorous", "--cold"], "another --cold and another --rigorous"),
        (["--json", "elsewhere.json"], "another --json"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(tare, plan, given, said):
    asked = replace(plan(), command=BEGAN)
    execute(asked)
    cut(asked.file)
    done = tare("run", "--resume", asked.file, "--dry-run", *given)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_the_options_that_a_run_began_with_may_be_said_again(tare, plan):
    asked = replace(plan(), command=BEGAN)
    execute(asked)
    cut(asked.file)
    own = [*BEGAN[2:], "--seed", "7", "--json", asked.file]
    done = tare("run", "--resume", asked.file, "--dry-run", "-q", "--max-time", "60", *own)
    assert done.code == 0, done.err
    assert "seed 7" in done.out
