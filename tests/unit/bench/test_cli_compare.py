"""`tare compare`, `tare baseline` and `tare history` on stored runs."""

import json
import re

import msgspec
import pytest

from tests.fakes.plain_run import draws, plain_run, store

READY, INIT = ("startup", "native", "ready"), ("startup", "native", "init")
FIRST, SECOND = "20261001T120000Z-000001", "20261002T120000Z-000002"


@pytest.fixture
def results(tmp_path):
    return tmp_path / "root/results"


@pytest.fixture
def two(results):
    """A run, and one that is slower by a fifth until it is ready."""
    figures = {READY: draws(1, 0.01), INIT: draws(2, 0.005)}
    store(results, plain_run(figures))
    store(results, plain_run({READY: draws(3, 0.012), INIT: draws(4, 0.005)}, number=2))


def test_a_confirmed_regression_ends_with_1(tare, two):
    done = tare("compare", FIRST, SECOND)
    assert done.code == 1
    assert re.search(r"^startup +native +ready .* slower$", done.out, re.MULTILINE)
    assert re.search(r"^startup +native +init .* equivalent$", done.out, re.MULTILINE)
    assert done.err == ""


def test_the_other_way_round_it_is_faster_and_ends_with_0(tare, two):
    done = tare("compare", SECOND, FIRST)
    assert (done.code, "faster" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--fail-on", "ready:5"], 1),
        (["--fail-on", "ready:50"], 0),
        (["--fail-on", "init:5"], 0),
        (["--fail-on", "init:5", "--fail-on", "ready:5"], 1),
        (["--fail-on", "ready:20", "--strict"], 4),
        (["--fail-on", "ready:20"], 0),
        (["-m", "init"], 0),
        (["-m", "init", "--margin", "0.01", "--strict"], 4),
    ],
)
def test_the_exit_code_is_what_the_options_say(tare, two, words, code):
    assert tare("compare", FIRST, SECOND, *words).code == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([FIRST, "nobody"], "there is no run 'nobody'"),
        ([FIRST, "./nobody.json"], "no result file"),
        ([FIRST], "nothing to compare it with"),
        ([FIRST, SECOND, "--ab", "a,b"], "compares two targets of one run"),
        ([FIRST, "--ab", "native"], "does not name two different targets"),
        ([FIRST, "--ab", "native,docker"], "has not measured docker"),
        ([FIRST, SECOND, "--fail-on", "redy:5"], "no such metric here"),
        ([FIRST, SECOND, "--fail-on", "ready"], "is not METRIC:PCT"),
        ([FIRST, SECOND, "--fail-on", "ready:5", "-m", "init"], "speaks of nothing that is compared"),
        ([FIRST, SECOND, "--margin", "0"], "is no margin"),
        ([FIRST, SECOND, "--margin", "much"], "is no percentage"),
        ([FIRST, SECOND, "--format", "yaml"], "'yaml' is not one of"),
        ([FIRST, SECOND, "-t", "docker"], "nothing alike"),
    ],
)
def test_a_usage_error_ends_with_2_and_says_what_to_do(tare, two, words, said):
    done = tare("compare", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[1]", "names no schema"),
        ('{"schema": "tare/results/9"}', "has the schema 'tare/results/9'"),
        ('{"schema": "tare/results/1", "id": "x"}', "breaks the schema"),
    ],
)
def test_a_file_that_is_no_result_is_refused_by_name(tare, two, tmp_path, content, said):
    path = tmp_path / "other.json"
    path.write_text(content)
    for words in ([FIRST, path], [path, FIRST]):
        done = tare("compare", *words)
        assert done.code == 2, "1 means that something got worse"
        assert str(path) in done.err
        assert said in done.err
        assert "hint:" in done.err


def test_differences_are_loud_even_where_a_program_reads_the_output(tare, results, two):
    changed = msgspec.structs.replace(
        plain_run({READY: draws(3, 0.01)}, number=3),
        environment=msgspec.structs.replace(plain_run({}).environment, cgroup="v1"),
    )
    store(results, changed)
    done = tare("compare", FIRST, changed.id, "--format", "json")
    assert json.loads(done.out)["differences"] == {"cgroup": ["v2", "v1"]}
    assert "NOT MADE UNDER THE SAME CONDITIONS" in done.err


def test_github_gets_annotations_and_the_step_its_summary(tare, two, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    done = tare("compare", FIRST, SECOND, "--format", "github")
    assert done.code == 1
    assert done.out.startswith("::error title=Performance regression::startup native ready")
    lines = summary.read_text().splitlines()
    assert lines[0] == "before"
    assert any(line.startswith("| startup | native | ready |") for line in lines)


def test_a_summary_that_cannot_be_written_is_told_and_changes_no_verdict(tare, two, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no/such/place"))
    done = tare("compare", FIRST, SECOND, "--format", "github")
    assert done.code == 1
    assert "step summary" in done.err


def test_two_targets_of_one_run_are_compared(tare, results):
    run = plain_run(
        {("startup", "native", "ready"): draws(1, 1.0), ("startup", "container", "ready"): draws(2, 1.5)}
    )
    store(results, run)
    done = tare("compare", run.id, "--ab", "native,container")
    assert done.code == 1
    assert re.search(r"native → container +ready .* slower$", done.out, re.MULTILINE)


def test_a_baseline_is_set_shown_used_and_cleared(tare, two):
    assert tare("baseline", "show").code == 2
    assert tare("baseline", "set", FIRST).out == f"baseline  {FIRST}\n"
    assert FIRST in tare("baseline", "show").out
    assert tare("compare", "baseline", "latest").code == 1
    done = tare("baseline", "set")
    assert (done.out, done.err) == (f"baseline  {SECOND}\n", f"tare: the baseline was {FIRST}\n")
    assert tare("baseline", "clear").code == 0
    done = tare("baseline", "clear")
    assert (done.code, "there is no baseline" in done.err) == (2, True)


def test_a_baseline_from_elsewhere_is_kept(tare, tmp_path, results):
    path = store(tmp_path, plain_run({READY: draws(1, 0.01)}))
    assert tare("baseline", "set", path).code == 0
    path.unlink()
    assert tare("compare", "baseline", "baseline").code == 0


@pytest.fixture
def past(results):
    """Fourteen runs; from the ninth on it takes a tenth longer."""
    for number in range(1, 15):
        factor = 1.0 if number < 9 else 1.1
        figures = {READY: draws(number, 0.01, factor=factor), INIT: draws(300 + number, 0.005)}
        store(results, plain_run(figures, number=number))


def test_history_shows_every_run_that_ended_in_order(tare, results, past):
    store(results, plain_run({READY: draws(1, 0.01)}, number=15, finished=None))
    (results / "broken.json").write_text("{")
    done = tare("history", "startup", "-m", "ready")
    assert done.code == 0
    assert len(re.findall(r"^2026-10-\d\dT12:00 ", done.out, re.MULTILINE)) == 14
    assert "startup native ready" in done.out
    assert "init" not in done.out


def test_a_change_point_is_found_at_its_run_with_its_size(tare, past):
    done = tare("history", "--change-points", "--format", "json")
    ready = next(one for one in json.loads(done.out) if one["metric"] == "ready")
    (change,) = ready["changes"]
    assert change["first_run"] == "20261009T120000Z-000009"
    assert change["worse_by"] == pytest.approx(0.1, abs=0.02)
    assert change["confirmed_by"] == 5
    assert next(one for one in json.loads(done.out) if one["metric"] == "init")["changes"] == []


def test_the_last_runs_alone_are_no_change_yet(tare, results):
    for number in range(1, 12):
        factor = 1.5 if number > 9 else 1.0  # two runs, however far off: more have to confirm it
        store(results, plain_run({READY: draws(number, 0.01, factor=factor)}, number=number))
    (ready,) = json.loads(tare("history", "--change-points", "--format", "json").out)
    assert ready["changes"] == []
    for number in (12, 13, 14):
        store(results, plain_run({READY: draws(number, 0.01, factor=1.5)}, number=number))
    (ready,) = json.loads(tare("history", "--change-points", "--format", "json").out)
    assert [change["first_run"] for change in ready["changes"]] == ["20261010T120000Z-00000a"]


def test_a_change_that_one_later_run_confirms_waits_for_another(tare, results):
    """The second run after it is nearer to what was before."""
    factors = [1.0] * 20 + [1.10, 1.03, 1.11]
    for number, factor in enumerate(factors, 1):
        store(results, plain_run({READY: draws(number, 0.01, factor=factor, spread=0.002)}, number=number))
    (ready,) = json.loads(tare("history", "--change-points", "--format", "json").out)
    assert ready["changes"] == []
    store(results, plain_run({READY: draws(24, 0.01, factor=1.1, spread=0.002)}, number=24))
    (ready,) = json.loads(tare("history", "--change-points", "--format", "json").out)
    assert [(change["first_run"][:8], change["confirmed_by"]) for change in ready["changes"]] == [
        ("20261021", 2)
    ]


def test_a_short_history_says_that_nothing_can_be_found_in_it(tare, results):
    for number in range(1, 10):
        factor = 3.0 if number > 5 else 1.0
        store(results, plain_run({READY: draws(number, 0.01, factor=factor)}, number=number))
    done = tare("history", "--change-points")
    assert (done.code, done.out) == (0, "")
    assert "1 of them have fewer than 10 runs, in which none can be found" in done.err


def test_conditions_that_changed_with_it_are_named(tare, results):
    for number in range(1, 13):
        other = msgspec.structs.replace(plain_run({}).environment, cgroup="v1" if number > 6 else "v2")
        factor = 1.2 if number > 6 else 1.0
        figures = {READY: draws(number, 0.01, factor=factor)}
        store(results, plain_run(figures, number=number, environment=other))
    assert re.search(r"worse by \d+\.\d% .* changed: cgroup$", tare("history", "--change-points").out, re.M)


def test_the_version_of_the_target_is_a_condition_and_that_of_another_is_none(tare, results):
    other = ("startup", "container", "ready")
    for number in range(1, 13):
        factor = 1.2 if number > 6 else 1.0
        figures = {key: draws(seed + number, 0.01, factor=factor) for key, seed in ((READY, 0), (other, 100))}
        run = plain_run(figures, number=number)
        old, *rest = run.targets
        changed = msgspec.structs.replace(old, version=f"image app:{1 + (number > 6)}")
        store(results, msgspec.structs.replace(run, targets=(changed, *rest)))
    found = json.loads(tare("history", "--change-points", "--format", "json").out)
    moved = {one["target"]: [change["conditions_changed"] for change in one["changes"]] for one in found}
    assert moved == {"native": [["targets.native.version"]], "container": [[]]}


@pytest.mark.parametrize(("limit", "code"), [("ready:5", 1), ("ready:20", 0), ("init:1", 0)])
def test_history_fails_on_the_last_change_beyond_a_threshold(tare, past, limit, code):
    done = tare("history", "--fail-on", limit)
    assert done.code == code
    assert ("is worse by" in done.err) == bool(code)


def test_what_got_better_again_is_no_regression(tare, results, past):
    for number in range(15, 23):
        store(results, plain_run({READY: draws(number, 0.01)}, number=number))
    assert tare("history", "--fail-on", "ready:5").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "no stored run that ended in order has such a figure"),
        (["--fail-on", "redy:5"], "no such metric here"),
    ],
)
def test_a_history_of_nothing_is_a_usage_error(tare, past, words, said):
    done = tare("history", *words)
    assert (done.code, said in done.err, "startup" in done.err) == (2, True, True)


def test_without_any_run_there_is_no_history(tare):
    done = tare("history")
    assert (done.code, "there is no history yet" in done.err) == (2, True)
