"""`tare results`: listing, showing, removing, importing and exporting."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from bench.results import Failure, load, validate
from tests.fakes.plain_run import draws, plain_run, store
from tests.fakes.sample_run import sample_run

READY = ("startup", "native", "ready")
FIRST, SECOND = "20261001T120000Z-000001", "20261002T120000Z-000002"


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "root/results"
    for number in (1, 2):
        store(folder, plain_run({READY: draws(number, 0.01)}, number=number))
    return folder


def test_the_list_shows_names_and_states(tare, results):
    (results / "cut.json").write_text("{")
    store(results, plain_run({READY: [0.1]}, number=3, finished=None))
    tare("results", "name", FIRST, "main")
    done = tare("results", "list")
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[1][:4] == [FIRST, "main", "complete", "default"]
    assert rows[2][:3] == [SECOND, "complete", "default"]
    assert rows[3][1] == "unfinished"
    assert rows[4][:2] == ["cut", "damaged"]
    assert "cut.json is not JSON" in done.err
    found = json.loads(tare("results", "list", "--format", "json").out)
    assert [(one["run"], one["state"]) for one in found][:2] == [(FIRST, "complete"), (SECOND, "complete")]
    assert found[0]["names"] == ["main"]


def test_an_empty_list_says_how_to_fill_it(tare):
    done = tare("results", "list")
    assert (done.code, "no stored run" in done.err) == (0, True)


def test_show_prints_what_a_run_measured_and_on_what(tare, results):
    done = tare("results", "show", FIRST)
    assert "CPU A" in done.out
    assert "startup   native  ready" in done.out
    assert SECOND in tare("results", "show").out


def test_rm_removes_by_name_and_keeps_the_baseline(tare, results):
    tare("results", "name", SECOND, "old")
    tare("baseline", "set", FIRST)
    done = tare("results", "rm", "old", FIRST)
    assert (done.code, "is the baseline" in done.err) == (2, True)
    assert len(list(results.glob("*.json"))) == 2, "nothing is removed when one can't be"
    assert f"removed {results / SECOND}.json" in tare("results", "rm", "old").out
    assert tare("results", "rm", "--force", FIRST).code == 0
    assert not list(results.glob("*.json"))
    assert tare("baseline", "show").code == 2


def test_rm_touches_nothing_from_elsewhere(tare, results, tmp_path):
    path = store(tmp_path, plain_run({READY: [0.1] * 6}, number=9))
    done = tare("results", "rm", path)
    assert (done.code, path.exists()) == (2, True)


def test_a_result_goes_out_and_comes_back_as_it_was(tare, results, tmp_path):
    assert tare("results", "export", FIRST, "-o", tmp_path / "x.json").code == 0
    before = (results / f"{FIRST}.json").read_bytes()
    tare("results", "rm", FIRST)
    assert tare("results", "import", tmp_path / "x.json", "--save", "back").out == f"{FIRST}\n"
    assert json.loads((results / f"{FIRST}.json").read_bytes()) == json.loads(before)
    assert tare("results", "show", "back").code == 0


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("{", 1, "is not JSON"),
        ('{"schema": "tare/results/0"}', 1, "has the schema 'tare/results/0'"),
        ('{"benchmarks": 1}', 1, "is no file of pytest-benchmark"),
        ('{"hello": 1}', 1, "names no schema"),
        (None, 2, "no file"),
    ],
)
def test_what_cannot_be_imported_is_named_and_nothing_is_stored(tare, results, content, code, said):
    good = store(results.parents[1], plain_run({READY: [0.1] * 6}, number=9))
    bad = results.parents[1] / "bad.json"
    if content is not None:
        bad.write_text(content)
    done = tare("results", "import", good, bad)
    assert (done.code, len(list(results.glob("*.json")))) == (code, 2)
    assert said in done.err
    assert str(bad) in done.err


def test_csv_holds_every_sample_to_the_last_digit(tare, results):
    (m,) = load(results / f"{FIRST}.json").measurements
    rows = list(csv.DictReader(io.StringIO(tare("results", "export", FIRST, "-f", "csv").out)))
    assert [float(row["value"]) for row in rows] == [sample.value for sample in m.samples]
    assert {(row["run"], row["scenario"], row["unit"]) for row in rows} == {(FIRST, "startup", "s")}


def test_csv_has_a_column_for_every_parameter_and_sentinel(tare, results):
    store(results, msgspec.structs.replace(sample_run(1), id="whole"))
    rows = list(csv.DictReader(io.StringIO(tare("results", "export", "whole", "-f", "csv").out)))
    assert {"param_n", "param_layout", "param_work", "sentinel_steal"} <= set(rows[0])
    assert {row["excluded"] for row in rows} == {"", "steal"}


def test_parquet_holds_the_same_as_csv(tare, results, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: pip install 'tare[parquet]'")
    store(results, msgspec.structs.replace(sample_run(1), id="whole"))
    assert tare("results", "export", "whole", "-o", tmp_path / "x.parquet").code == 0
    table = parquet.read_table(tmp_path / "x.parquet")
    run = load(results / "whole.json")
    assert table.column("value").to_pylist() == [s.value for m in run.measurements for s in m.samples]
    assert table.column("warmup").to_pylist() == [s.warmup for m in run.measurements for s in m.samples]
    assert table.column("param_n").to_pylist()[-1] is None
    assert json.loads(table.schema.metadata[b"tare.run"])["id"] == "whole"


def test_without_pyarrow_parquet_is_refused_with_the_way_to_get_it(tare, results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = tare("results", "export", FIRST, "-o", tmp_path / "x.parquet")
    assert (done.code, (tmp_path / "x.parquet").exists()) == (3, False)
    assert "pip install 'tare[parquet]'" in done.err


def test_junit_has_a_case_for_every_measurement_and_failure(tare, results):
    failure = Failure(scenario="startup", target="native", round=2, text="it died\x00\x1b", hint="look")
    store(results, plain_run({READY: [0.01] * 6}, number=5, failures=(failure,)))
    (suite,) = ElementTree.fromstring(tare("results", "export", "20261005", "-f", "junit").out)
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    passed, failed = suite.iter("testcase")
    assert float(passed.get("time")) == pytest.approx(0.01)
    assert failed.find("failure").get("message").startswith("it died")


def test_markdown_is_a_table_of_medians(tare, results):
    lines = tare("results", "export", FIRST, "-f", "markdown").out.splitlines()
    assert any(line.startswith("| startup | native | ready | 20 | ") for line in lines)


def test_pytest_benchmark_gets_the_times_and_gives_them_back_with_their_labels(tare, results, tmp_path):
    store(results, msgspec.structs.replace(sample_run(1), id="whole"))
    done = tare("results", "export", "whole", "-f", "pytest-benchmark")
    assert "left out, since pytest-benchmark knows times only" in done.err
    path = tmp_path / "bench.json"
    path.write_text(done.out)
    identity = tare("results", "import", path).out.strip()
    back, run = load(results / f"{identity}.json"), load(results / "whole.json")
    times = {
        (m.scenario, m.target, m.metric): [s.value for s in m.samples if not (s.warmup or s.excluded)]
        for m in run.measurements
        if m.unit == "s"
    }
    found = {(m.scenario, m.target, m.metric): [s.value for s in m.samples] for m in back.measurements}
    assert found == times
    assert {s.accelerator for m in back.measurements if m.target == "vm" for s in m.samples} == {"tcg"}
    validate(back)
    assert tare("results", "import", path).out.strip() == identity, "the same file is the same run"


def test_pytest_benchmark_itself_can_read_what_is_exported(tare, results, tmp_path):
    tare("results", "export", FIRST, "-f", "pytest-benchmark", "-o", tmp_path / "0001_x.json")
    program = Path(sys.executable).with_name("pytest-benchmark")
    command = [program, "compare", str(tmp_path / "0001_x.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "startup_ready[native]" in done.stdout


def test_a_run_without_times_is_no_business_of_pytest_benchmark(tare, results):
    store(results, plain_run({("cpu", "native", "rate"): [5.0] * 6}, number=8))
    done = tare("results", "export", "20261008", "-f", "pytest-benchmark")
    assert (done.code, "holds no time that counts" in done.err) == (2, True)


FOREIGN = {
    "machine_info": {"cpu": {"brand_raw": "CPU X", "count": 8}, "python_version": "3.13.1", "release": "6.9"},
    "commit_info": {"id": "abc123", "dirty": False},
    "benchmarks": [
        {
            "group": None, "name": "test_fib", "fullname": "tests/test_fib.py::test_fib", "params": None,
            "param": None, "extra_info": {}, "options": {},
            "stats": {"min": 0.1, "max": 0.2, "median": 0.15, "data": [0.1, 0.2, 0.15], "iterations": 1},
        }
    ],
    "datetime": "2026-10-05T10:00:00.123456",
    "version": "5.1.0",
}  # fmt: skip


def test_a_foreign_benchmark_becomes_a_run_and_says_what_its_rounds_are_not(tare, results, tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(FOREIGN))
    run = load(results / f"{tare('results', 'import', path).out.strip()}.json")
    (m,) = run.measurements
    assert (m.scenario, m.metric, m.params) == ("pytest", "time", {"test": "tests/test_fib.py::test_fib"})
    assert [s.value for s in m.samples] == [0.1, 0.2, 0.15]
    assert run.environment.cpu.model == "CPU X"
    assert run.environment.versions["commit"] == "abc123"
    assert (run.started, run.warnings[0].code) == ("2026-10-05T10:00:00.123Z", "rounds")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"datetime": "yesterday"}, "'yesterday' is no time"),
        ({"machine_info": 5}, "is no file of pytest-benchmark"),
        (
            {"benchmarks": [{**FOREIGN["benchmarks"][0], "stats": {"min": 0.1}}]},
            "holds no data of the rounds",
        ),
        ({"benchmarks": [{**FOREIGN["benchmarks"][0], "stats": {"data": [-1.0]}}]}, "negative value"),
        (
            {"benchmarks": [{**FOREIGN["benchmarks"][0], "extra_info": {"tare": {"scenario": 5}}}]},
            "extra_info.tare",
        ),
    ],
)
def test_a_foreign_file_that_makes_no_sense_is_refused(tare, results, tmp_path, change, said):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({**FOREIGN, **change}))
    done = tare("results", "import", path)
    assert done.code in {1, 2}
    assert said in done.err
    assert len(list(results.glob("*.json"))) == 2


def test_an_export_without_a_format_is_refused(tare, results):
    done = tare("results", "export", FIRST)
    assert (done.code, "no format is given" in done.err) == (2, True)


def test_what_a_run_can_detect_is_told_where_no_gate_was_recorded(tare, results):
    """Runs of pytest, imported ones and those that were cut off have the samples and no verdicts."""
    header, figures = (tare("results", "show", FIRST).out.splitlines()[place] for place in (-4, -3))
    assert header.split()[-2:] == ["DETECTS", "A/A"]
    assert re.search(r" \d+(\.\d+)? %\s+yes$", figures), figures
    assert re.search(r"\| \d+(\.\d+)? % \| yes \|", tare("results", "export", FIRST, "-f", "markdown").out)


def test_a_run_that_was_killed_before_its_first_counted_turn_set_nothing_aside(tare, results):
    run = plain_run({READY: [0.1]}, number=3, finished=None)
    (m,) = run.measurements
    warmup = msgspec.structs.replace(m.samples[0], warmup=True)
    cold = msgspec.structs.replace(m, samples=(warmup,))
    store(results, msgspec.structs.replace(run, measurements=(cold,)))
    assert re.search(r"ready +0 +- +none counts yet", tare("results", "show").out)
    assert "none counts yet" in tare("results", "export", "-f", "markdown").out
    assert "no sample counts (none counts yet)" in tare("results", "export", "-f", "junit").out
