"""A comparison as text: every format says the same, and none can be broken by what a name holds."""

import json
import math
from xml.etree import ElementTree

import pytest

from bench.compare import threshold
from bench.compare.formats import FORMATS, render
from bench.compare.formats.github import command
from bench.compare.report import compare_runs
from bench.results import Cpu, Environment
from tests.fakes.plain_run import draws, plain_run

READY, INIT, RATE = ("startup", "native", "ready"), ("startup", "native", "init"), ("cpu", "native", "rate")
EVIL = "a|b`*<script>]]>\n::error::x %0A \x1b[31m,:"


@pytest.fixture
def compared():
    base = plain_run({READY: draws(1, 0.01), INIT: draws(2, 0.01), RATE: draws(3, 900.0)})
    other = Environment(cpu=Cpu(model=EVIL))
    new = plain_run(
        {READY: draws(4, 0.01, factor=1.3), INIT: draws(5, 0.01, n=3), RATE: draws(6, 900.0)},
        number=2,
        environment=other,
    )
    report = compare_runs(base, new)
    return report, threshold.judge(report, [threshold.parse("ready:5"), threshold.parse("init:5")])


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_names_the_regression_and_the_condition_that_differs(compared, form):
    said = render(*compared, form)
    assert "ready" in said
    assert "cpu.model" in said
    assert "%" in said or form == "json"


def test_the_table_has_a_line_for_each_row_and_says_what_to_think(compared):
    lines = render(*compared, "table").splitlines()
    (ready,) = [line for line in lines if line.startswith("startup   native  ready")]
    assert ready.split("  ")[-1].strip() == "slower"
    assert "THE RUNS WERE NOT MADE UNDER THE SAME CONDITIONS" in lines[2]
    assert any(
        line.startswith("REGRESSION: startup native ready is worse by more than 5 %") for line in lines
    )
    assert any(line.startswith("undecided: startup native init may or may not") for line in lines)
    assert "adjusted for all 3 by Holm" in lines[-1]


def test_every_row_says_how_small_a_difference_it_would_have_found(compared):
    lines = render(*compared, "table").splitlines()
    head = next(line for line in lines if line.startswith("SCENARIO"))
    (ready,) = [line for line in lines if line.startswith("startup   native  ready")]
    cell = ready[head.index("DETECTS") :].split("  ")[0]
    row = next(one for one in json.loads(render(*compared, "json"))["rows"] if one["metric"] == "ready")
    low, value, high = (row["ratio"][name] for name in ("low", "value", "high"))
    arm = max(math.log(high / value), math.log(value / low))
    assert row["detectable"] == pytest.approx(math.expm1(arm * (1.96 + 1.645) / 1.96), rel=1e-3)
    assert float(cell.removesuffix(" %")) == pytest.approx(100 * row["detectable"], rel=0.06)


def test_json_holds_all_figures_in_si_units(compared):
    found = json.loads(render(*compared, "json"))
    assert found["schema"] == "tare/comparison/1"
    ready = next(row for row in found["rows"] if row["metric"] == "ready")
    assert ready["verdict"] == "slower"
    assert ready["base"]["n"] == ready["new"]["n"] == 20
    assert ready["worse_by"]["value"] == pytest.approx(ready["ratio"]["value"] - 1)
    assert 0 < ready["p_raw"] <= ready["p"] <= 1
    assert found["differences"]["cpu.model"] == ["CPU A", EVIL]
    assert [f["outcome"] for f in found["findings"]] == ["regressed", "undecided"]


def test_markdown_keeps_every_row_in_its_cells(compared):
    lines = render(*compared, "markdown").splitlines()
    rows = [line.replace("\\|", "") for line in lines if line.startswith("|")]
    assert {row.count("|") for row in rows} == {11, 4}
    assert not any(line.startswith("::") for line in lines)
    assert "<script>" not in "".join(lines).replace("\\<", "")


def test_junit_is_xml_that_counts_what_failed_and_what_was_skipped(compared):
    root = ElementTree.fromstring(render(*compared, "junit"))
    (suite,) = root
    assert {k: suite.get(k) for k in ("tests", "failures", "skipped", "errors")} == {
        "tests": "2", "failures": "1", "skipped": "1", "errors": "0",
    }  # fmt: skip
    (failed,) = [case for case in suite.iter("testcase") if case.find("failure") is not None]
    assert (failed.get("classname"), failed.get("name")) == ("startup.native", "ready (ready:5)")
    assert "worse by more than 5 %" in failed.find("failure").get("message")


def test_github_gets_an_error_a_line_for_each_regression_and_nothing_can_forge_one(compared):
    lines = render(*compared, "github").splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning", "::warning", "::notice"]
    assert lines[0].startswith("::error title=Performance regression::startup native ready is worse")
    assert "5 %25" in lines[0]


def test_the_syntax_of_workflow_commands_is_escaped():
    assert command("error", "a,b:c", "50 %\nx") == "::error title=a%2Cb%3Ac::50 %25%0Ax"
