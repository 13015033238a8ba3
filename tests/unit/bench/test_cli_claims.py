"""`tare claims` and `tare list claims` on fake targets."""

import json
from hashlib import sha256

import msgspec
import pytest

from bench.claims.definition import Claim, Words
from bench.claims.load import claims
from bench.results import load, validate
from tests.fakes.fake_target import FakeTarget, dying, obedient, virtual


@pytest.fixture(autouse=True)
def calm(monkeypatch):
    """This host's other load sets nothing aside here; pages, which take seconds, are other tests' subject."""
    monkeypatch.setattr("bench.exclusion.reason", lambda _: None)
    pages = []
    monkeypatch.setattr("bench.cli.claims.make_report", lambda *files: pages.append(files))
    return pages


@pytest.fixture
def later(monkeypatch):
    """Claims that wait for their scenarios, beside the real ones."""
    words = Words(en="a", zh="b")
    waiting = {name: Claim(id=name, says=words, flip=words) for name in ("later", "later-still")}
    monkeypatch.setattr("bench.claims.load.claims", lambda: {**claims(), **waiting})


def container(**options):
    return FakeTarget("container", kind="container", behaviour=obedient(), **options)


def test_an_unknown_claim_ends_with_2_and_lists_those_there_are(tare):
    done = tare("claims", "startup-container", "startup")
    assert done.code == 2
    assert "no claim 'startup'" in done.err
    assert all(name in done.err for name in claims())


def test_claims_without_a_scenario_are_listed_as_such_and_nothing_is_measured(tare, later, tmp_path):
    done = tare("claims", "later", "later-still")
    assert done.code == 0
    assert done.out.count("not evaluable here") == done.out.count("Tare has no scenario for it yet") == 2
    assert "no result file" in done.err
    assert not list((tmp_path / "root").rglob("*.json"))


def test_a_verdict_is_printed_and_kept_with_its_evidence(tare, later, fakes, calm, tmp_path):
    native = FakeTarget("native", behaviour=obedient())
    fakes(native, container())
    file, page = tmp_path / "run.json", tmp_path / "run.html"
    done = tare(
        "claims", "startup-container", "later", "--fast", "--seed", 4, "-q", "--json", file,
        "--html", page,
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    row = next(line for line in done.out.splitlines() if line.startswith("startup-container "))
    assert "supported (preliminary)" in row
    assert "n = 12), flips at 10 s" in row
    assert claims()["startup-container"].flip.en in row
    assert "Tare has no scenario for it yet" in done.out
    assert "tare claims startup-container --fast --seed 4" in done.out
    assert calm == [(file, page)]
    run = load(file)
    validate(run)
    assert {m.target for m in run.measurements} == {"container"}  # no claim needs the bare process
    assert native.started == 0
    (record,) = [one for one in run.verdicts if one["kind"] == "claim"]
    assert (record["claim"], record["verdict"], record["preliminary"]) == (
        "startup-container",
        "supported",
        True,
    )
    assert record["definition"] == claims()["startup-container"].digest
    (ready,) = [m for m in run.measurements if m.metric == "ready"]
    assert record["data"] == sha256(msgspec.json.encode(ready, order="deterministic")).hexdigest()
    part, docker = record["parts"]
    assert (docker["target"], docker["verdict"]) == ("docker", "not evaluable here")  # and asked for nothing
    assert (part["of"], part["n"], part["unit"], part["flips_at"]) == ("median", 12, "s", [10.0])
    assert part["low"] <= part["value"] <= part["high"]


def test_the_same_in_chinese(tare, later, fakes):
    fakes(container())
    done = tare("claims", "startup-container", "later", "--fast", "-q", "--lang", "zh")
    assert done.code == 0
    assert "成立 (初步)" in done.out
    assert "Tare 尚无相应的场景" in done.out
    assert claims()["startup-container"].flip.zh in done.out
    assert "preliminary" not in done.out
    assert "容器: 成立; startup ready container: 中位数" in done.out


def test_an_emulated_guest_refutes_minutes_a_fortiori(tare, fakes):
    fakes(virtual("vm-full"))
    done = tare("claims", "startup-vm", "--fast", "-q")
    assert done.code == 0
    assert "refuted (preliminary)" in done.out
    assert "(tcg)" in done.out
    assert "a fortiori" in done.out


def test_a_missing_target_is_said_with_its_reason_and_the_rest_is_judged(tare, fakes):
    fakes(container(), virtual("vm-full", available=False))
    done = tare("claims", "startup-container", "startup-vm", "--fast", "-q")
    assert done.code == 0
    row = next(line for line in done.out.splitlines() if line.startswith("startup-vm "))
    assert "not evaluable here" in row
    assert "a target is missing: vm-full: the test says no" in row
    assert "supported (preliminary)" in done.out


def test_when_nothing_can_run_the_host_is_at_fault(tare, fakes):
    fakes(virtual("vm-full", available=False))
    done = tare("claims", "startup-vm", "--fast", "-q")
    assert done.code == 3
    assert "nothing to measure" in done.err


def test_a_box_that_never_answers_ends_with_1_and_no_verdict(tare, fakes, quick):
    fakes(FakeTarget("container", kind="container", behaviour=dying))
    done = tare("claims", "startup-container", "--fast", "-q")
    assert done.code == 1
    assert "not evaluable here" in done.out
    assert "it could not be measured: container: " in done.out
    assert "tare: startup on container failed" in done.err


def test_the_list_shows_every_claim_in_both_languages(tare):
    for lang in ("en", "zh"):
        out = tare("list", "claims", "--lang", lang).out
        assert all(one.id in out and one.says.in_(lang) in out for one in claims().values())
    rows = json.loads(tare("list", "claims", "--format", "json").out)
    assert [row["id"] for row in rows] == list(claims())
    rule = {"name": "at-most", "of": "p95", "limit": 10.0, "fast_of": "median", "room": 0.1}
    assert rows[0]["part"][0]["rule"] == rule
