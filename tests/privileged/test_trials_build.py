"""The scenario `build` for real: Tare's builder, docker's classic one, a registry, and an ordinary user."""

import shutil

import pytest

from bench.claims.judge import verdicts
from bench.claims.load import select
from bench.results import load

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not shutil.which("docker-registry"), reason="apt-get install docker-registry"),
]
CLAIMS = ("layer-per-step", "dockerfile", "build-linear", "build-rootless", "build-secrets")


@pytest.fixture(scope="module")
def run(tare, tmp_path_factory):
    targets = "container,docker" if shutil.which("dockerd") else "container"
    file = tmp_path_factory.mktemp("build") / "run.json"
    done = tare("run", "build", "-t", targets, "-r", "1", "--seed", "1", "-q", "--json", file)
    assert done.returncode == 0, done.stderr
    return load(file)


def values(run, target, metric, name=None):
    found = [m for m in run.measurements if (m.target, m.metric) == (target, metric) and "of" not in m.params]
    return {m.params.get(name): m.samples[0].value for m in found}


def test_tares_steps_run_side_by_side_and_an_ordinary_user_gets_roots_image(run):
    assert values(run, "container", "overlap")[None] > 0.05
    assert values(run, "container", "needs_root") == {None: 0}
    assert values(run, "container", "secret_stays", "way") == {
        "argument": 0, "deleted file": 1, "secret mount": 0,
    }  # fmt: skip


def test_the_lab_goes_through_and_has_the_four_parts(run):
    assert set(values(run, "container", "lab", "step").values()) == {1}
    assert len(values(run, "container", "part", "part")) == 4
    assert set(values(run, "container", "part", "part").values()) == {1}


@pytest.mark.skipif(not shutil.which("dockerd"), reason="apt-get install docker.io")
def test_dockers_classic_builder_has_its_three_faults(run):
    assert values(run, "docker", "overlap") == {None: 0}
    assert values(run, "docker", "needs_root") == {None: 1}
    assert values(run, "docker", "secret_stays", "way") == {"argument": 1, "deleted file": 1}


def test_only_what_changes_files_adds_a_layer_and_one_run_adds_one(run):
    for target in {m.target for m in run.measurements}:
        assert values(run, target, "layers_per_program", "how") == {
            "a RUN each": 1, "one RUN for all": pytest.approx(1 / 3),
        }  # fmt: skip
        assert values(run, target, "layers_per_instruction", "instruction") == {
            "LABEL": 0, "ENV": 0, "RUN": 1, "EXPOSE": 0, "USER": 0, "CMD": 0,
        }  # fmt: skip


def test_one_turn_is_too_little_for_a_verdict(run):
    assert {one["verdict"] for one in verdicts(select(CLAIMS), run)} == {"not evaluable here"}
