"""Whole runs of `tare`, each made once for the session and read by many tests."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.results import Run, load

TARE = Path(sys.executable).with_name("tare")


@dataclass(frozen=True)
class Outcome:
    """A finished run: its exit status, what it printed, and its files."""

    status: int
    output: str
    complaints: str
    json: Path
    html: Path

    @property
    def run(self) -> Run:
        return load(self.json)


@pytest.fixture(scope="session")
def tare(data_root):
    """Runs `tare` with the tests' data root; returns the finished process."""

    def call(*words, timeout=600, env=None, **options):
        environment = {**os.environ, "TARE_ROOT": str(data_root), **(env or {})}
        command = [TARE, *map(str, words)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, env=environment, **options
        )

    return call


@pytest.fixture(scope="session")
def measured(tare, tmp_path_factory):
    """Runs `tare run` and returns its outcome."""

    def call(*words):
        folder = tmp_path_factory.mktemp("run")
        json, html = folder / "run.json", folder / "run.html"
        done = tare("run", *words, "--json", json, "--html", html, timeout=1200)
        return Outcome(done.returncode, done.stdout, done.stderr, json, html)

    return call


@pytest.fixture(scope="session")
def startup_run(measured):
    """The startup scenario on every target but the whole Debian."""
    return measured("startup", "-t", "native,container,vm,vm-micro", "--fast")


@pytest.fixture(scope="session")
def fast_run(measured):
    """What a report draws, fast, on one target of each kind; others have runs and tests of their own."""
    words = ("startup", "memory", "layers", "cpu", "-t", "native,container,vm", "--fast", "-r", "1")
    return measured(*words)
