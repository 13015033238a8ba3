"""The two ends of the executable: it leaves without taking the interpreter apart, and still loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ENTRY = [sys.executable, "-m", "runtime.oci.entry"]
BUFFERED = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}


def test_what_is_still_buffered_is_written() -> None:
    said = subprocess.run([*ENTRY, "features"], stdout=subprocess.PIPE, env=BUFFERED, check=True, timeout=20)
    assert json.loads(said.stdout)["ociVersionMax"]


@pytest.mark.parametrize("unbuffered", [False, True])
def test_output_that_nobody_takes_is_a_failure(*, unbuffered: bool) -> None:
    environment = {**BUFFERED, "PYTHONUNBUFFERED": "1"} if unbuffered else BUFFERED
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*ENTRY, "features"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
            timeout=20,
        )
    assert ended.returncode == 1
    assert b"No space left on device" in ended.stderr
    assert b"None" not in ended.stderr


def test_what_goes_wrong_in_keeping_code_does_not_change_how_it_ends() -> None:
    program = (
        "import sys; sys.argv[1:] = ['features']\nfrom runtime.oci.entry import main\nmain(lambda: 1 / 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=20)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["ociVersionMax"]


def test_the_code_of_a_failure_comes_out() -> None:
    ended = subprocess.run([*ENTRY, "nosuch"], capture_output=True, check=False, timeout=20)
    assert ended.returncode == 1
    assert b"nosuch is not a verb of tare-oci" in ended.stderr
