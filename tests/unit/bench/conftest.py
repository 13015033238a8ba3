"""Scenarios and command lines on fake targets."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import click
import msgspec
import pytest

from bench import harness, ladder, spares
from bench import session as session_module
from bench.cli import main as cli
from bench.progress import progress
from bench.results import Target, Writer, load
from bench.session import Session
from bench.sizes import Sizes
from tests.fakes.sample_run import sample_run


@pytest.fixture(autouse=True)
def handlers():
    """The command line sets handlers for signals; the tests' own come back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def group(tmp_path):
    """A memory cgroup of version 2 that is charged a few bytes."""
    folder = tmp_path / "group"
    folder.mkdir()
    (folder / "memory.current").write_text("1")
    (folder / "memory.stat").write_text("anon 1000\nfile 700\nkernel 50\nshmem 200\n")
    return folder


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


def hurry(monkeypatch):
    """What is timed by the clock takes next to no time, and nothing is taken again for this host's sake."""
    monkeypatch.setattr(spares, "most", lambda _runs: 0)
    for scenario in ("memory", "limits"):
        monkeypatch.setattr(f"bench.scenarios.{scenario}.SETTLE", 0)
    monkeypatch.setattr("bench.scenarios.limits.WINDOW", dict.fromkeys(("fast", "default", "rigorous"), 0.01))


@pytest.fixture
def fakes(monkeypatch):
    """Makes fake targets of those that are known."""
    monkeypatch.setattr(session_module, "QUIET", 0)
    hurry(monkeypatch)
    monkeypatch.setattr(harness, "prune", lambda *_: [])  # it looks at this very host's cgroups

    def put(*targets):
        monkeypatch.setattr(harness, "targets", lambda _drivers: {target.name: target for target in targets})

    return put


@pytest.fixture
def quick(monkeypatch):
    """No scenario waits for a quiet host."""
    monkeypatch.setattr(session_module, "QUIET", 0)
    hurry(monkeypatch)
    monkeypatch.setattr(ladder, "PATIENCE", 2.0)


@pytest.fixture
def measure(tmp_path, quick):
    """Runs a scenario on fake targets and returns the file that it wrote."""

    def run(scenario, *targets, **sizes):
        known = tuple(Target(name=t.name, title=t.title, kind=t.kind, available=True) for t in targets)
        empty = {"measurements": (), "failures": (), "warnings": (), "finished": None, "targets": known}
        header = msgspec.structs.replace(sample_run(), **empty)
        path = tmp_path / "run.json"
        with Writer(path, header) as writer, progress(quiet=True) as shown:
            order = Sizes(**{"mode": "fast", "seed": 1, **sizes})
            scenario.run(Session({t.name: t for t in targets}, order, writer, shown))
        return load(path)

    return run


@pytest.fixture
def disk(tmp_path):
    """A directory whose files have a page cache."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], check=True, capture_output=True, text=True)
    if kind.stdout.strip() in {"tmpfs", "ramfs"}:
        pytest.skip("the temporary directory is in memory: there is no page cache to drop (set TMPDIR)")
    return tmp_path
