"""The conformance suite against programs that do nothing: a test that one of them passes proves nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).parents[1] / "conformance"
NOTHING = ("/bin/false", "/bin/true")  # the second takes longer, since much is waited for that never happens
LEAST = 250  # tests of MUSTs; fewer means that the suite was not collected

pytestmark = [pytest.mark.privileged, pytest.mark.torture, pytest.mark.timeout(600)]


def test_no_must_is_met_by_a_program_that_does_nothing(rounds, figure):
    for program in NOTHING[: rounds(2, 1)]:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rp", "--tb=no", "-p", "no:cacheprovider", str(SUITE),
             "--ignore", str(SUITE / "test_document.py")],
            cwd=SUITE.parents[1], env={**os.environ, "TARE_OCI_RUNTIME": program}, text=True,
            check=False, capture_output=True, timeout=500,
        )  # fmt: skip
        summary = done.stdout.splitlines()[-1]
        found = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", summary)}
        figure("conformance", runtime=program, failed=found.get("failed", 0), passed=found.get("passed", 0))
        assert [line for line in done.stdout.splitlines() if line.startswith("PASSED")] == []
        assert found.get("passed", 0) == 0
        assert found["failed"] >= LEAST, done.stdout[-2000:] + done.stderr[-2000:]
