"""Medians and tables as they are printed."""

import re

import msgspec
import pytest

from bench.cli.outcome import print_summary, took
from bench.cli.table import table
from bench.results import Writer
from tests.fakes.plain_run import plain_run
from tests.fakes.sample_run import sample_run, startup_run


def test_medians_are_shown_in_the_units_of_people(capsys, tmp_path):
    with Writer(tmp_path / "run.json", sample_run()) as writer:
        print_summary(writer.run)
    lines = capsys.readouterr().out.splitlines()
    assert re.split(r"  +", lines[0]) == [
        "SCENARIO", "TARGET", "METRIC", "N", "MEDIAN", "INTERVAL", "DETECTS", "A/A",
    ]  # fmt: skip
    rows = [re.split(r"  +", line) for line in lines[1:-2]]
    pss = next(row for row in rows if row[:3] == ["memory", "container", "pss n=8"])
    assert 4.5 < float(pss[4].removesuffix(" MiB")) < 5.5
    assert any(row[0] == "cpu" and row[4].endswith(" 1/s") and "work=integer" in row[2] for row in rows)
    ready = next(row for row in rows if row[:3] == ["startup", "native", "ready"])
    assert 1.5 < float(ready[4].removesuffix(" ms")) < 2.1
    assert ready[6].endswith(" %")
    assert ready[7] == "yes"
    machine = next(row for row in rows if row[:3] == ["startup", "vm (tcg)", "ready"])
    assert machine[6:] == ["-", "-"]  # too few runs for a gate
    low, high = map(float, ready[5].split(" to "))
    assert low <= float(ready[4].removesuffix(" ms")) <= high
    machines = {row[1] for row in rows if row[1].startswith("vm")}
    assert machines == {"vm (tcg)", "vm-micro (tcg)", "vm-full (tcg)"}


def test_the_gate_and_the_smallest_effect_stand_beside_each_median(capsys):
    run = startup_run()
    gate = {"kind": "a/a", "scenario": "startup", "metric": "ready", "params": {}, "floor": 0.03, "p": 0.5,
            "ratio": 1.0}  # fmt: skip
    like = {**gate, "target": "native", "detectable": 0.0512, "passed": True}
    unlike = {**gate, "target": "container", "detectable": 1.26, "passed": False}
    print_summary(msgspec.structs.replace(run, verdicts=(like, unlike)))
    shown = capsys.readouterr().out
    rows = {
        tuple(row[1:3]): row for row in (re.split(r"  +", line) for line in shown.splitlines()) if row[2:]
    }
    assert rows["native", "ready"][6:] == ["5.1 %", "yes"]
    assert rows["container", "ready"][6:] == ["130 %", "NO"]
    assert rows["native", "init"][6:] == ["-", "-"]
    assert "DETECTS: the smallest difference" in shown


def test_too_few_runs_have_no_interval(capsys):
    print_summary(startup_run())
    plenty = capsys.readouterr().out
    print_summary(sample_run(rounds=1))
    assert "too few runs" in capsys.readouterr().out
    assert plenty.count("too few runs") < len(plenty.splitlines()) - 1


def test_columns_are_aligned_and_lines_end_with_text():
    shown = table(("A", "LONGER", "C"), [("wide cell", "x", "last"), ("b", "", "")]).splitlines()
    assert shown == ["A          LONGER  C", "wide cell  x       last", "b"]
    assert table(("A", "B"), []) == "A  B"


@pytest.mark.parametrize(
    ("ended", "said"),
    [("12:00:07.400", "7 s"), ("12:05:00.000", "5 min 0 s"), ("13:01:01.000", "61 min 1 s")],
)
def test_a_run_says_how_long_it_took(ended, said):
    run = plain_run({("startup", "native", "ready"): [1.0]})
    assert took(msgspec.structs.replace(run, finished=f"2026-10-01T{ended}Z")) == said


def test_a_pause_is_no_part_of_a_run():
    run = plain_run({("startup", "native", "ready"): [1.0]})
    assert took(msgspec.structs.replace(run, resumed=("2026-10-01T12:04:00.000Z",))) == ""
    assert took(msgspec.structs.replace(run, finished=None)) == ""
