"""`tare claims` on real boxes."""

import pytest

from bench.claims.judge import verdicts
from bench.claims.load import select
from bench.results import load
from bench.stats import counted

pytestmark = [pytest.mark.privileged, pytest.mark.slow, pytest.mark.timeout(600)]
CLAIMS = ("startup-container", "layers-readonly")


@pytest.fixture(scope="module")
def claimed(tare, tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims")
    json, html = folder / "run.json", folder / "run.html"
    done = tare("claims", *CLAIMS, "--fast", "--seed", "3", "-q", "--json", json, "--html", html)
    assert done.returncode == 0, done.stderr
    return done.stdout, load(json), html


def test_only_what_the_claims_need_was_measured_once(claimed):
    _, run, _ = claimed
    wanted = {("startup", "container"), ("layers-integrity", "container")}
    docker = {("startup", one.name) for one in run.targets if one.name == "docker" and one.available}
    assert {(m.scenario, m.target) for m in run.measurements} == wanted | docker


def test_every_claim_has_a_verdict_that_follows_from_the_samples(claimed):
    out, run, html = claimed
    records = {one["claim"]: one for one in run.verdicts if one["kind"] == "claim"}
    assert list(records) == list(CLAIMS)
    assert records == {one["claim"]: one for one in verdicts(select(CLAIMS), run)}
    assert all(one["preliminary"] and len(one["data"]) == 64 for one in records.values())
    assert all(claim in out for claim in CLAIMS)
    assert 'id="claims"' in html.read_text()
    for record in records.values():
        # On a busy host samples are set aside; the verdict is then open and says why.
        few = {"few-runs", "few-occasions", "few-counted", "undecided"}
        assert record["verdict"] == "supported" or any(
            part["excluded"] and part["why"] in few for part in record["parts"]
        ), record


def test_what_was_measured_is_what_a_container_does(claimed):
    _, run, _ = claimed
    (ready,) = [m for m in run.measurements if (m.metric, m.target) == ("ready", "container")]
    assert all(0 < sample.value < 10 for sample in counted(ready))
    facts = {m.metric: {s.value for s in m.samples} for m in run.measurements if m.unit == "1"}
    assert facts["layers_unchanged"] == {1.0}
