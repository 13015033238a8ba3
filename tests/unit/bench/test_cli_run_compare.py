"""`tare run --save`, `--compare` and `--ab` on fake targets."""

import random
from dataclasses import replace

import pytest

from bench.results import load
from bench.session import Session
from tests.fakes.fake_target import FakeTarget, obedient, stuck
from tests.fakes.plain_run import plain_run, store


@pytest.fixture
def results(tmp_path):
    return tmp_path / "root/results"


@pytest.fixture(autouse=True)
def calm(monkeypatch):
    """This host's other load sets nothing aside here; pages, which take seconds, are other tests' subject."""
    monkeypatch.setattr("bench.exclusion.reason", lambda _: None)
    monkeypatch.setattr("bench.cli.run.make_report", lambda *_: None)


@pytest.fixture
def takes(monkeypatch):
    """Says what a start of each target takes, in seconds; all else of a run is as it is."""
    record, middles = Session.record, {}

    def written(self, place, values, sentinels):
        rng = random.Random(f"{self.sizes.seed}/{place.slot}")
        middle = middles[place.slot.target] * rng.lognormvariate(0, 0.02)
        record(self, place, [replace(value, value=middle) for value in values], sentinels)

    monkeypatch.setattr(Session, "record", written)
    return middles.update


def quick(name="native", **options):
    return FakeTarget(name, behaviour=obedient(), **options)


def run(tare, *words, runs=8):
    return tare("run", "startup", "-q", "-r", runs, *words)


def test_a_run_is_saved_under_its_name_and_the_name_moves(tare, fakes, results):
    fakes(quick())
    first = run(tare, "--save", "main")
    assert first.code == 0
    second = run(tare, "--save", "main")
    before, after = sorted(path.stem for path in results.glob("*.json"))
    assert f"saved {before} as main\n" in first.err
    assert f"saved {after} as main, which was {before}\n" in second.err
    assert after in tare("results", "show", "main").out
    assert after in tare("results", "show", "latest").out


def test_a_run_that_is_written_elsewhere_is_copied_when_it_is_saved(tare, fakes, results, tmp_path):
    fakes(quick())
    file = tmp_path / "elsewhere.json"
    assert run(tare, "--save", "main", "--json", file).code == 0
    assert load(results / f"{load(file).id}.json") == load(file)


def test_a_slower_run_is_a_regression_against_its_base(tare, fakes, takes):
    fakes(quick())
    takes({"native": 0.010})
    run(tare, "--save", "base", "--seed", 1)
    takes({"native": 0.015})
    done = run(tare, "--compare", "base", "--fail-on", "ready:20")
    assert done.code == 1
    assert "REGRESSION: startup native ready is worse by more than 20 %" in done.out
    tare("baseline", "set", "base")
    assert run(tare, "--compare", "baseline", "--fail-on", "ready:90").code == 0
    takes({"native": 0.010})
    assert run(tare, "--compare", "baseline", "--seed", 2).code == 0


def test_two_targets_are_measured_in_turns_and_compared(tare, fakes, results, takes):
    fakes(quick("native"), quick("container", kind="container"))
    takes({"native": 0.010, "container": 0.015})
    done = run(tare, "--ab", "native,container")
    assert done.code == 1
    assert "native → container" in done.out
    assert "measured in turns in one run" in done.out
    (path,) = results.glob("*.json")
    assert {target.name for target in load(path).targets} == {"native", "container"}
    assert run(tare, "--ab", "container,native").code == 0


def test_versions_have_names_of_their_own_in_the_file(tare, fakes, results):
    fakes(quick("container@a", kind="container"), quick("container@b", kind="container"), quick("native"))
    done = run(tare, "-t", "native", "--ab", "container@a:image=x,container@b:image=y", runs=2)
    assert done.code == 0
    (path,) = results.glob("*.json")
    assert {m.target for m in load(path).measurements} == {"native", "container@a", "container@b"}


def test_undecided_is_4_when_strict(tare, fakes):
    fakes(quick("native"), quick("container", kind="container"))
    words = ["--ab", "native,container", "--fail-on", "ready:1"]
    assert run(tare, *words, "--strict", runs=2).code == 4
    assert run(tare, *words, runs=2).code == 0


def test_a_failed_start_is_1_even_when_nothing_could_be_compared(tare, fakes, monkeypatch):
    monkeypatch.setattr("bench.ladder.PATIENCE", 0.2)
    fakes(quick("native"), FakeTarget("container", "container", behaviour=stuck))
    done = run(tare, "--ab", "native,container", runs=1)
    assert done.code == 1
    assert "has not measured container" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compare", "nobody"], "there is no run 'nobody'"),
        (["--compare", "baseline"], "there is no baseline"),
        (["--compare", "old", "--fail-on", "redy:5"], "no such metric here"),
        (["--ab", "native,container", "--fail-on", "redy:5"], "no such metric here"),
        (["--ab", "native,container", "--fail-on", "rate:5"], "there are: startup/created"),
        (["--fail-on", "ready:5"], "has nothing to compare with"),
        (["--compare", "old", "--fail-on", "ready"], "is not METRIC:PCT"),
        (["--save", "a/b"], "can't name a run"),
        (["--save", "latest"], "has a meaning of its own"),
        (["--ab", "native"], "name two different targets"),
        (["--ab", "native,native"], "name two different targets"),
        (["--ab", "native,nothing"], "no target 'nothing'"),
        (["--ab", "oci:runtime=/a/runc,oci:runtime=/b/runc"], "would be called oci@runc"),
        (["-t", "oci:runtime=/a/runc", "--ab", "native,oci:runtime=/b/runc"], "would be called oci@runc"),
        (["-t", "container@x"], "is no version of a target"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_measured(tare, fakes, results, words, said):
    native = quick()
    fakes(native)
    path = store(results, plain_run({("startup", "native", "ready"): [0.01] * 6}))
    (results / "names").mkdir()
    (results / "names/old").write_text(path.stem)
    done = run(tare, *words)
    assert (done.code, native.started) == (2, 0)
    assert said in " ".join(done.err.split())


def test_a_base_that_is_damaged_is_told_before_anything_is_measured(tare, fakes, results):
    native = quick()
    fakes(native)
    results.mkdir(parents=True)
    (results / "old.json").write_text("{")
    assert (run(tare, "--compare", "old").code, native.started) == (2, 0)


def test_a_real_runtime_that_is_not_there_ends_with_3(tare):
    done = run(tare, "-t", "oci:runtime=/no/such/runc")
    assert done.code == 3
    assert "target oci@runc can't run here" in done.err
