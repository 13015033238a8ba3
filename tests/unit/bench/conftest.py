"""Scenarios on fake targets."""

import msgspec
import pytest

from bench import ladder
from bench import scenario as scenario_module
from bench.progress import progress
from bench.results import Target, Writer, load
from bench.scenario import Session, Sizes
from tests.fakes.sample_run import sample_run


@pytest.fixture
def quick(monkeypatch):
    """No scenario waits for a quiet host."""
    monkeypatch.setattr(scenario_module, "QUIET", 0)
    monkeypatch.setattr("bench.scenarios.memory.SETTLE", 0)
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
