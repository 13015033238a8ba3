"""What a run of the suite found, kept as a file from which the table is made."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ORDER = ("met", "not applicable", "not met")


class Verdicts:
    """A plugin of pytest that collects one word per test function, the worst of its parameters."""

    def __init__(self, path: Path, name: str, version: str) -> None:
        self.path, self.name, self.version = path, name, version
        self.found: dict[str, dict[str, str]] = {}

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a phase of a test."""
        path, _, test = report.nodeid.partition("::")
        if (report.when != "call" and report.passed) or path.endswith("test_document.py"):
            return
        verdict, why = _verdict(report)
        key = f"{path.rpartition('/')[2]}::{test.partition('[')[0]}"
        before = self.found.get(key, {"verdict": "met"})["verdict"]
        if key not in self.found or ORDER.index(verdict) > ORDER.index(before):
            self.found[key] = {"verdict": verdict, "why": why}

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = {"runtime": self.name, "version": self.version, "tests": dict(sorted(self.found.items()))}
        self.path.write_text(json.dumps(whole, indent=1) + "\n")


def _verdict(report: pytest.TestReport) -> tuple[str, str]:
    if hasattr(report, "wasxfail"):
        return ("not met", report.wasxfail) if report.skipped else ("not met", "deviates no longer")
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        return "not applicable", reason.removeprefix("Skipped: ")
    return ("met", "") if report.passed else ("not met", _crash(report))


def _crash(report: pytest.TestReport) -> str:
    """First line of what the failed assertion said."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = crash.message.splitlines() if crash else []
    words = lines[0].removeprefix("AssertionError: ") if lines else ""
    return re.sub(r"/\S*/conformance-\S*", "…", words)[:120]
