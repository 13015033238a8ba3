"""The scenario `registry` for real, and steps of it that have to be seen when they fail."""

import shutil

import pytest

from bench.results import load
from bench.trials import scanning

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.timeout(200),
    pytest.mark.skipif(not shutil.which("docker-registry"), reason="apt-get install docker-registry"),
]


def test_every_step_does_what_it_says_and_a_warm_mirror_asks_for_no_layer(tare, tmp_path):
    file = tmp_path / "run.json"
    done = tare("run", "registry", "-t", "container", "-r", "1", "--seed", "1", "-q", "--json", file)
    assert done.returncode == 0, done.stderr
    run = load(file)
    works = {m.params["step"]: m.samples[0].value for m in run.measurements if m.metric == "works"}
    assert works == dict.fromkeys(
        ("tag", "list", "delete", "retention", "log-in", "mirror, cold", "mirror, warm", "webhook", "scan"), 1
    )
    came = {m.params["mirror"]: m.samples[0].value for m in run.measurements if m.metric == "origin_bytes"}
    assert came["warm"] < 20e3
    assert came["cold"] > 1e6


def test_the_list_of_the_scan_and_its_image_belong_together():
    known = scanning.Advisories.read(scanning.LIST)
    assert {source for _, _, source in scanning.PACKAGES} == set(known._known)
    assert len(scanning.WEAK) == 2
