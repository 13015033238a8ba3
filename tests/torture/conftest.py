"""Torture: how often, what is counted, and the table at the end.

In the ordinary tests each row runs a few rounds. TARE_TORTURE=full (`nox -s torture`) runs them all;
TARE_TORTURE_JSON names a file for the figures. TARE_OCI_RUNTIME names another runtime than this
environment's tare-oci, so that a row can be proven on one that is known.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.fakes.busybox_layer import make_layer

FIGURES = pytest.StashKey[list]()


def pytest_configure(config):
    config.addinivalue_line("markers", "torture: many rounds of what must not leave anything behind")
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter, config):
    found = config.stash[FIGURES]
    for figure in found:
        words = "  ".join(f"{key}={value}" for key, value in figure.items() if key != "row")
        terminalreporter.write_line(f"{figure['row']:<4} {words}")
    if found and os.environ.get("TARE_TORTURE_JSON"):
        content = {"schema": "tare/torture/1", "figures": found}
        Path(os.environ["TARE_TORTURE_JSON"]).write_text(json.dumps(content, indent=1) + "\n")


@pytest.fixture
def rounds():
    """`rounds(most, few)`: how many to run this time."""
    full = os.environ.get("TARE_TORTURE") == "full"
    return lambda most, few: most if full else few


@pytest.fixture
def figure(request):
    """Note a row of the table: `figure("T5", runtime="…", kills=100, leaks=0)`."""

    def note(row, **values):
        request.config.stash[FIGURES].append({"row": row, **values})

    return note


@pytest.fixture(scope="session")
def layer(tmp_path_factory):
    """A root file system that nobody writes to."""
    return make_layer(tmp_path_factory.mktemp("torture") / "layer")


@pytest.fixture
def null():
    fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    yield fd
    os.close(fd)
