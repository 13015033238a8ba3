"""`tare run` on fake targets."""

import os
import re
from itertools import pairwise

import pytest

from bench.cli.outcome import make_report
from bench.errors import BenchFault
from bench.results import load
from bench.targets.installed import names
from tests.fakes.fake_target import FakeTarget, dying, virtual


def test_an_unknown_scenario_ends_with_2_and_lists_those_there_are(tare):
    done = tare("run", "startup", "starup")
    assert done.code == 2
    assert "no scenario 'starup'; there are: startup, memory, layers, cpu" in done.err


@pytest.mark.parametrize(
    ("given", "said"),
    [("native,vmware", "no target 'vmware'"), ("", "no target is named"), (" , ", "no target is named")],
)
def test_an_unknown_target_ends_with_2_and_lists_those_there_are(tare, given, said):
    done = tare("run", "-t", given)
    assert done.code == 2
    assert f"{said}; there are: {', '.join(names())}" in " ".join(done.err.split())


@pytest.mark.parametrize(
    "words", [["--runs", "0"], ["--seed", "-1"], ["--order", "random"], ["--runs", "many"], ["--turbo"]]
)
def test_what_cannot_be_is_a_usage_error(tare, words):
    assert tare("run", "--dry-run", *words).code == 2


def test_a_dry_run_prints_the_order_and_measures_nothing(tare, tmp_path):
    done = tare("run", "startup", "-t", "native,container", "-r", 3, "--seed", 5, "--dry-run")
    assert done.code == 0
    lines = done.out.splitlines()
    turns = [re.split(r"  +", line) for line in lines[1:-2]]
    assert len(turns) == 8
    assert lines[-1] == "seed 5, order interleaved, 8 turns; nothing was measured"
    assert [what for *_, what in turns[:2]] == [f"{t[3].split()[0]} (warm-up)" for t in turns[:2]]
    assert sorted(what for *_, what in turns[2:]) == ["container"] * 3 + ["native"] * 3
    assert [(int(a), int(b)) for _, a, b, _ in turns] == [(r, p) for r in range(4) for p in range(2)]
    assert not (tmp_path / "root").exists()


def test_the_same_seed_gives_the_same_order_and_another_another(tare):
    orders = [tare("run", "--dry-run", "--seed", seed).out for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_without_a_seed_one_is_drawn_and_told(tare):
    seeds = {re.search(r"seed (\d+)", tare("run", "--dry-run", "startup").out).group(1) for _ in range(3)}
    assert len(seeds) == 3


def test_a_blocked_dry_run_changes_target_only_once(tare):
    done = tare("run", "startup", "-t", "native,container", "--dry-run", "--order", "blocked", "-r", 4)
    names = [line.split()[3] for line in done.out.splitlines()[1:-2]]
    assert sum(a != b for a, b in pairwise(names)) == 1


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "0.5", "-1", "soon"])
def test_a_time_that_no_run_can_have_is_refused(tare, seconds):
    """Every turn is later than nan: such a run would measure nothing, and end in order."""
    done = tare("run", "startup", "-t", "native", "--dry-run", "--max-time", seconds)
    assert done.code == 2
    assert "--max-time" in done.err
    assert tare("run", "startup", "-t", "native", "--dry-run", "--max-time", "1.5").code == 0


@pytest.mark.parametrize(
    ("words", "turns"), [([], 310), (["--fast"], 15), (["--rigorous"], 510), (["-r", 2], 3)]
)
def test_the_flags_choose_the_number_of_runs(tare, words, turns):
    assert f"{turns} turns" in tare("run", "startup", "-t", "native", "--dry-run", *words).out


def test_a_run_writes_both_files_and_prints_the_medians(tare, fakes, tmp_path):
    fakes(FakeTarget("native"), virtual())
    files = tmp_path / "run.json", tmp_path / "page.html"
    done = tare("run", "startup", "-r", 2, "--fast", "-q", "--json", files[0], "--html", files[1])
    assert (done.code, done.err) == (0, "")
    assert f"results  {files[0]}\nreport   {files[1]}\n" in done.out
    assert re.search(r"^startup +vm \(tcg\) +kernel +2 +[\d.]+ ms", done.out, re.MULTILINE)
    run = load(files[0])
    assert (run.mode, run.command[:3]) == ("fast", ("tare", "run", "startup"))
    assert files[1].read_text().startswith("<!")


def test_a_failed_start_is_told_and_ends_with_1_after_the_rest(tare, fakes, tmp_path):
    fakes(FakeTarget("native", behaviours={1: dying}))
    done = tare("run", "startup", "-r", 3, "-q")
    assert done.code == 1
    assert re.search(r"^tare: startup on native failed: .*hung up", done.err, re.MULTILINE)
    (file,) = (tmp_path / "root/results").glob("*.json")
    assert len(load(file).failures) == 1
    assert file.with_suffix(".html").exists()


def test_a_target_that_cannot_run_here_ends_with_3(tare, fakes):
    fakes(FakeTarget("native", available=False))
    done = tare("run", "startup", "-t", "native", "-q")
    assert done.code == 3
    assert done.err.startswith("tare: target native can't run here: the test says no\n  hint: ")


def test_a_report_that_could_not_be_written_is_refused_before_the_run(tare, fakes, tmp_path):
    native = FakeTarget("native")
    fakes(native)
    os.mkfifo(tmp_path / "pipe")
    result = tare(
        "run", "startup", "-t", "native", "--json", tmp_path / "r.json", "--html", tmp_path / "pipe"
    )
    assert (result.code, native.started) == (2, 0)
    assert "not a regular file" in result.err
    assert not (tmp_path / "r.json").exists()


def test_results_that_cannot_be_written_are_one_line(tare, fakes, tmp_path):
    fakes(FakeTarget("native"))
    (tmp_path / "file").write_text("")
    done = tare("run", "startup", "-q", "--json", tmp_path / "file/run.json")
    assert done.code == 3
    assert len(done.err.splitlines()) == 2
    assert str(tmp_path / "file") in done.err


def test_a_report_that_cannot_be_made_tells_where_the_results_are(tmp_path):
    file = tmp_path / "run.json"
    file.write_text("{}")
    with pytest.raises(BenchFault, match=r"the report could not be made: .*run.json") as caught:
        make_report(file, tmp_path / "page.html")
    assert f"safe in {file}; try again with: tare report {file} -o" in caught.value.hint


def test_a_precision_that_nothing_would_heed_is_refused(tare):
    done = tare("run", "memory", "layers", "--precision", "2%", "--dry-run")
    assert done.code == 2
    assert "--precision goes with startup, cpu, io, network" in " ".join(done.err.split())
    assert tare("run", "memory", "cpu", "-t", "native", "--precision", "2%", "--dry-run").code == 0


def test_a_run_that_ends_short_of_its_precision_says_so(tare, fakes, tmp_path):
    fakes(FakeTarget("native"))
    file = tmp_path / "run.json"
    done = tare("run", "startup", "-t", "native", "--precision", "0.001%", "-r", 3, "-q", "--json", file)
    assert "tare: not known to 0.001 % as --precision asks" in done.err
    assert [w.text for w in load(file).warnings if w.code == "precision"] == [
        "not known to 0.001 % as --precision asks: startup/native/ready (n = 3)"
    ]
