"""The fixture `target`: who gets it, and what it does with boxes."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from bench.errors import BenchFault
from bench.plugin import laboratory as laboratory_module
from bench.plugin.laboratory import Laboratory
from bench.plugin.probe import Probe
from bench.pytest_plugin import _without
from bench.results import Environment, load, validate
from tests.fakes.fake_target import FakeTarget, obedient, stuck, virtual


def session(folder, text, *words):
    """Run pytest on one file in a process of its own, with the plugin as it is installed."""
    (folder / "test_it.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        "/dev/null",
        "--rootdir",
        folder,
        "-p",
        "no:cacheprovider",
    ]
    command += [*words, str(folder / "test_it.py")]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=folder, timeout=100
    )


def test_a_test_runs_once_for_each_target_and_each_version(tmp_path):
    text = "def test_start(benchmark, target):\n    pass\n"
    targets = "native,container@x:image=busybox,oci:runtime=/usr/bin/crun"
    done = session(tmp_path, text, "--collect-only", "-q", "--tare-target", targets)
    names = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert names == ["test_start[native]", "test_start[container@x]", "test_start[oci@crun]"]


def test_without_an_option_it_is_what_the_ini_file_says_or_the_bare_process(tmp_path):
    done = session(tmp_path, "def test_start(target):\n    pass\n", "--collect-only", "-q")
    assert "test_start[native]" in done.stdout
    done = session(
        tmp_path, "def test_start(target):\n    pass\n", "--collect-only", "-q", "-o", "tare_targets=vm"
    )
    assert "test_start[vm]" in done.stdout


@pytest.mark.parametrize(
    ("test", "rest"),
    [
        ("t.py::test_start[native]", "t.py::test_start"),
        ("t.py::test_start[native-64m]", "t.py::test_start[64m]"),
        ("t.py::test_start[64m-native-x]", "t.py::test_start[64m-x]"),
        ("t.py::T::test_start[a-native]", "t.py::T::test_start[a]"),
        ("t.py::test_start", "t.py::test_start"),
    ],
)
def test_figures_under_other_parameters_are_those_of_another_test(test, rest):
    assert _without("native", test) == rest


def test_an_unknown_target_is_a_usage_error(tmp_path):
    done = session(tmp_path, "def test_start(target):\n    pass\n", "--tare-target", "vmware")
    assert done.returncode == 4 or "UsageError" in done.stdout
    assert "there is no target 'vmware' (there are: native" in done.stdout + done.stderr


def test_all_targets_are_refused_since_a_test_of_none_would_pass(tmp_path):
    done = session(tmp_path, "def test_start(target):\n    pass\n", "--tare-target", "all")
    assert done.returncode != 0
    assert "name the targets" in done.stdout + done.stderr


def test_other_peoples_targets_are_left_alone(tmp_path):
    text = """
import pytest, sys

@pytest.fixture
def target():
    return "mine"

def test_own_fixture(target):
    assert target == "mine"

@pytest.mark.parametrize("target", [1, 2])
def test_own_parameter(target):
    assert target in (1, 2)

def test_nothing_of_tare_is_imported_for_others():
    assert not [name for name in sys.modules if name.startswith(("runtime.", "vmdriver", "bench.targets"))]
"""
    done = session(tmp_path, text, "-q")
    assert "4 passed" in done.stdout, done.stdout


@pytest.fixture
def lab(monkeypatch, tmp_path):
    """Gives a laboratory of fake targets, and the file that it writes."""
    monkeypatch.setattr("bench.plugin.probe.QUIET", 0)
    monkeypatch.setattr("bench.exclusion.reason", lambda _: None)
    monkeypatch.setattr(laboratory_module, "prune", lambda *_: [])
    survey = SimpleNamespace(environment=Environment(), caveats=())
    monkeypatch.setattr(laboratory_module, "survey", lambda _: survey)

    def make(*targets):
        known = {target.name: target for target in targets}
        monkeypatch.setattr(laboratory_module, "targets", lambda _drivers: known)
        roots = tmp_path / "data", tmp_path / "run"
        return Laboratory(roots, tuple(known), (), tmp_path / "out.json", ("pytest",))

    make.file = tmp_path / "out.json"
    return make


class Pedantic:
    """Calls as pytest-benchmark's `pedantic` does, and keeps what it was given."""

    def __init__(self):
        self.extra_info = {}

    def pedantic(self, function, *, setup, teardown, rounds, warmup_rounds, iterations):
        assert iterations == 1
        for _ in range(warmup_rounds + rounds):
            setup()
            function()
            teardown()


def test_a_measured_start_is_timed_in_rounds_and_kept_with_its_ladder(lab):
    native = FakeTarget("native")
    with lab(native) as laboratory:
        benchmark = Pedantic()
        probe = Probe(laboratory, "native", "t.py::test_start", benchmark)
        probe.measure(benchmark, rounds=3)
        probe.close()
    run = load(lab.file)
    validate(run)
    assert run.finished
    assert {m.metric for m in run.measurements} == {"created", "init", "listening", "ready", "teardown"}
    assert {m.params["test"] for m in run.measurements} == {"t.py::test_start"}
    for m in run.measurements:
        assert [s.warmup for s in m.samples] == [True, False, False, False]
        assert all("window" in s.sentinels for s in m.samples)
    kinds = [(one.kind, one.channel, one.target) for one in run.calibrations]
    assert kinds[-1] == ("echo", "socket pair", "native")
    assert {kind for kind, *_ in kinds} == {"null", "bare process", "echo"}
    assert all(one.samples for one in run.calibrations)
    info = benchmark.extra_info["tare"]
    assert (info["target"], info["metric"], info["kind"]) == ("native", "call", "native")
    assert 0 < info["echo_seconds"] < 10
    assert native.started == 5
    assert all(instance.removed for instance in native.instances)


def test_a_virtual_machine_brings_its_accelerator_into_the_file(lab):
    with lab(virtual()) as laboratory:
        probe = Probe(laboratory, "vm", "t")
        probe.start()
        probe.stop()
    (ready,) = [m for m in load(lab.file).measurements if m.metric == "ready"]
    assert ready.samples[0].accelerator == "tcg"


def test_a_box_answers_and_executes(lab):
    with lab(FakeTarget("native", behaviour=obedient({"echo": "hi\n"}))) as laboratory:
        probe = Probe(laboratory, "native", "t")
        box = probe.start()
        box.ping()
        assert box.execute("echo hi").output == "hi\n"
        assert list(box.seconds)[-1] == "ready"
        box.remove()
        probe.start()
        probe.close()


def test_a_second_start_beside_the_first_is_refused(lab):
    native = FakeTarget("native", behaviour=obedient())
    with lab(native) as laboratory:
        probe = Probe(laboratory, "native", "t")
        probe.start()
        with pytest.raises(BenchFault, match="still runs") as caught:
            probe.start()
        assert "target.measure(benchmark)" in caught.value.hint
        probe.close()
    assert [instance.removed for instance in native.instances] == [True]


def test_what_a_test_leaves_running_is_removed_and_is_no_sample(lab):
    native = FakeTarget("native", behaviour=obedient())
    with lab(native) as laboratory:
        probe = Probe(laboratory, "native", "t")
        probe.start()
        probe.close()
    assert native.instances[0].removed
    assert load(lab.file).measurements == ()


def test_a_start_that_fails_leaves_nothing(lab, monkeypatch):
    native = FakeTarget("native", behaviour=stuck)
    with lab(native) as laboratory:
        monkeypatch.setattr("bench.ladder.PATIENCE", 0.2)  # not for the calibration before
        probe = Probe(laboratory, "native", "t")
        with pytest.raises(BenchFault, match="no marker"):
            probe.start()
        probe.close()
    assert native.instances[0].removed


def test_a_target_that_cannot_run_here_says_why(lab):
    with lab(FakeTarget("native", available=False)) as laboratory:
        assert laboratory.missing("native") == "the test says no"
