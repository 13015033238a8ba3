import errno
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from bench import harness
from bench import scenario as scenario_module
from bench.cli import main as cli
from bench.cli.context import Context
from bench.cli.outcome import make_report, print_summary
from bench.cli.table import table
from bench.errors import BenchFault
from bench.results import Writer, load
from bench.targets.registry import NAMES
from runtime.errors import RuntimeFault
from tests.fakes.fake_target import FakeTarget, dying, virtual
from tests.fakes.sample_run import sample_run, startup_run
from vmdriver.errors import MachineFault


@pytest.fixture(autouse=True)
def handlers():
    """The command line sets handlers for signals; the tests' own come back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def tare(monkeypatch, capsys, tmp_path):
    """Runs a command line in this process; returns its exit code, output and complaints."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    def call(*words, root=tmp_path / "root"):
        monkeypatch.setenv("TARE_ROOT", str(root))
        monkeypatch.setattr(sys, "argv", ["tare", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return SimpleNamespace(code=caught.value.code, **capsys.readouterr()._asdict())

    return call


@pytest.fixture
def probe(monkeypatch, tare):
    """Runs a subcommand that does what the test wants."""

    def call(error):
        @click.command()
        def command():
            raise error

        monkeypatch.setitem(cli.COMMANDS, "probe", "Do what the test wants.")
        monkeypatch.setitem(sys.modules, "bench.cli.probe", SimpleNamespace(command=command))
        return tare("probe")

    return call


@pytest.fixture
def fakes(monkeypatch):
    """Makes fake targets of those that are known."""
    monkeypatch.setattr(scenario_module, "QUIET", 0)
    monkeypatch.setattr("bench.scenarios.memory.SETTLE", 0)
    monkeypatch.setattr(harness, "prune", lambda *_: [])  # it looks at this very host's cgroups

    def put(*targets):
        monkeypatch.setattr(harness, "targets", lambda _drivers: {target.name: target for target in targets})

    return put


# faults


@pytest.mark.parametrize("fault", [BenchFault, RuntimeFault, MachineFault])
@pytest.mark.parametrize(
    ("kind", "code"),
    {
        "usage": 2,
        "missing": 2,
        "host": 3,
        "failed": 1,
        "corrupt": 1,
        "not-executable": 126,
        "not-found": 127,
    }.items(),
)
def test_a_fault_is_a_line_a_hint_and_the_code_of_its_kind(probe, fault, kind, code):
    done = probe(fault("image x is gone", hint="pull it", kind=kind))
    assert (done.code, done.out) == (code, "")
    assert done.err == "tare: image x is gone\n  hint: pull it\n"


def test_without_a_hint_there_is_one_line(probe):
    assert probe(BenchFault("it broke", hint="", kind="failed")).err == "tare: it broke\n"


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EACCES, "run it as root"),
        (errno.EPERM, "run it as root"),
        (errno.EROFS, "can be written"),
        (errno.EIO, "see the path"),
    ],
)
def test_what_the_kernel_refuses_names_the_file_and_ends_with_3(probe, number, hint):
    done = probe(OSError(number, os.strerror(number), "/var/lib/tare/x"))
    assert done.code == 3
    assert done.err.splitlines()[0] == f"tare: /var/lib/tare/x: {os.strerror(number)}"
    assert re.fullmatch(rf"  hint: .*{hint}.*", done.err.splitlines()[1])
    assert len(done.err.splitlines()) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_ends_with_130(probe, error):
    done = probe(error)
    assert done.code == 130
    assert done.err.strip().splitlines() == [
        "tare: interrupted; everything that was started has been removed"
    ]


def test_a_usage_error_of_click_ends_with_2_and_says_why(probe):
    done = probe(click.UsageError("no such thing"))
    assert (done.code, "Error: no such thing" in done.err) == (2, True)


def test_a_status_that_a_command_returns_is_the_exit_code(probe):
    assert probe(SystemExit(7)).code == 7


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_ends_by_way_of_every_context_manager(number, code):
    program = """
        import contextlib, sys, time, types, click
        from bench.cli import main as cli

        @contextlib.contextmanager
        def box():
            try:
                yield
            finally:
                print("removed", flush=True)

        @click.command()
        def command():
            with box():
                print("started", flush=True)
                time.sleep(30)

        cli.COMMANDS["probe"] = ""
        sys.modules["bench.cli.probe"] = types.SimpleNamespace(command=command)
        sys.argv = ["tare", "probe"]
        cli.main()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).parents[3]
    ) as child:
        assert child.stdout.readline() == "started\n"
        child.send_signal(number)
        said, complaints = child.communicate(timeout=20)
    assert (child.returncode, said) == (code, "removed\n")
    assert "Traceback" not in complaints


def test_a_reader_that_has_gone_ends_the_command_as_sigpipe_would():
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-c", "from bench.cli.main import main; main()", "run", "--dry-run"]
        place = Path(__file__).parents[3]
        done = subprocess.run(command, check=False, stdout=write, stderr=subprocess.PIPE, cwd=place)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


# help


def test_help_names_every_command_and_imports_none(tare, monkeypatch):
    for name in cli.COMMANDS:
        monkeypatch.delitem(sys.modules, f"bench.cli.{name}", raising=False)
    done = tare("--help")
    assert done.code == 0
    assert all(f"\n  {name} " in done.out for name in cli.COMMANDS)
    assert not [name for name in cli.COMMANDS if f"bench.cli.{name}" in sys.modules]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_can_be_loaded_and_explains_itself(tare, name):
    done = tare(name, "--help")
    assert (done.code, f"Usage: tare {name}" in done.out) == (0, True)


def test_an_unknown_command_ends_with_2(tare):
    done = tare("fly")
    assert (done.code, "No such command 'fly'" in done.err) == (2, True)


# list


def test_scenarios_are_listed_as_a_table_and_as_json(tare):
    rows = json.loads(tare("list", "scenarios", "--format", "json").out)
    assert [row["name"] for row in rows] == ["startup", "memory", "layers", "cpu"]
    lines = tare("list", "scenarios").out.splitlines()
    assert lines[0].split() == ["SCENARIO", "TARGETS", "WHAT"]
    start = lines[0].index("WHAT")
    assert [line[start:] for line in lines[1:]] == [row["title"] for row in rows]


@pytest.mark.parametrize("form", ["table", "json"])
def test_targets_are_listed_with_their_reasons(tare, monkeypatch, form):
    known = {t.name: t for t in (FakeTarget("native"), virtual(), FakeTarget("container", available=False))}
    monkeypatch.setattr("bench.cli.list.targets", lambda _drivers: known)
    done = tare("list", "targets", "--format", form)
    assert done.code == 0
    if form == "json":
        rows = {row["name"]: row for row in json.loads(done.out)}
        assert [row["available"] for row in rows.values()] == [True, True, False]
        assert rows["container"]["reason"] == "the test says no"
        assert rows["vm"]["accelerator"] == {"name": "tcg", "proof": "a fake guest", "seconds": 0.5}
    else:
        rows = [re.split(r"  +", line) for line in done.out.splitlines()]
        assert rows[0] == ["TARGET", "AVAILABLE", "VERSION", "REASON"]
        assert rows[3] == ["container", "no", "1", "the test says no"]


# run


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
    assert f"{said}; there are: {', '.join(NAMES)}" in " ".join(done.err.split())


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


@pytest.mark.parametrize(
    ("words", "turns"), [([], 21), (["--fast"], 11), (["--rigorous"], 101), (["-r", 2], 3)]
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


# outcome and table


def test_medians_are_shown_in_the_units_of_people(capsys, tmp_path):
    with Writer(tmp_path / "run.json", sample_run()) as writer:
        print_summary(writer.run)
    lines = capsys.readouterr().out.splitlines()
    assert re.split(r"  +", lines[0]) == ["SCENARIO", "TARGET", "METRIC", "N", "MEDIAN", "INTERVAL"]
    rows = [re.split(r"  +", line) for line in lines[1:]]
    pss = next(row for row in rows if row[:3] == ["memory", "container", "pss n=8"])
    assert 4.5 < float(pss[4].removesuffix(" MiB")) < 5.5
    assert any(row[0] == "cpu" and row[4].endswith(" 1/s") and "work=integer" in row[2] for row in rows)
    ready = next(row for row in rows if row[:3] == ["startup", "native", "ready"])
    assert 1.5 < float(ready[4].removesuffix(" ms")) < 2.1
    low, high = map(float, ready[5].split(" to "))
    assert low <= float(ready[4].removesuffix(" ms")) <= high
    machines = {row[1] for row in rows if row[1].startswith("vm")}
    assert machines == {"vm (tcg)", "vm-micro (tcg)", "vm-full (tcg)"}


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


# context


def test_a_root_moves_everything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Context.at(Path("here")) == Context(tmp_path / "here", tmp_path / "here/run")
    assert Context.at(tmp_path).results == tmp_path / "results"


@pytest.mark.parametrize(
    ("user", "env", "data", "run"),
    [
        (0, {}, "/var/lib/tare", "/run/tare"),
        (0, {"XDG_DATA_HOME": "/d"}, "/d/tare", "/run/tare"),
        (7, {"HOME": "/h"}, "/h/.local/share/tare", "/run/user/7/tare"),
        (7, {"XDG_DATA_HOME": "/d", "XDG_RUNTIME_DIR": "/r"}, "/d/tare", "/r/tare"),
    ],
)
def test_every_user_has_roots_of_their_own(monkeypatch, user, env, data, run):
    for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert Context.at(None) == Context(Path(data), Path(run))
