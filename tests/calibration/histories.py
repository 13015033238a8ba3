"""Change points in histories that are known, beside Apache Otava's on the same series."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from bench.stats.changes import changes
from tests.calibration.verdicts import Row, share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Finder = Callable[[Sequence[Sequence[float]]], list[list[int]]]

VERSION = "apache-otava==0.8.0"
LENGTH = 60
NOISE = 0.05
NEAR = 5
STEPS = (0.0, 0.03, 0.05, 0.10)
SERIES = 200
ORACLE = """
import json, sys
from otava.analysis import compute_change_points
series = json.load(sys.stdin)
found = [[int(point.index) for point in compute_change_points(one)[0]] for one in series]
json.dump(found, sys.stdout)
"""


@dataclass(frozen=True)
class History:
    """A series with a step of the share `step` at `at` (0: none)."""

    values: list[float]
    step: float
    at: int


def histories(seed: int, count: int = SERIES) -> list[History]:
    """Return `count` histories of each step, in noise of 5 %."""
    rng = np.random.default_rng(seed)
    made = []
    for step in STEPS:
        for _ in range(count):
            at = int(rng.integers(LENGTH // 3, 2 * LENGTH // 3)) if step else 0
            level = np.where(np.arange(LENGTH) < at, 1.0, 1 + step)
            values = level * np.exp(NOISE * rng.standard_normal(LENGTH))
            made.append(History(values.tolist(), step, at))
    return made


def ours(series: Sequence[Sequence[float]]) -> list[list[int]]:
    """Return where Tare finds changes."""
    return [[change.index for change in changes(one, seed=i)] for i, one in enumerate(series)]


def otava(cache: Path) -> Finder:
    """Return Otava, in an environment of its own below `cache`, made if it is not there.

    Raises OSError or subprocess.SubprocessError where it can't be had, as without a network.
    """
    python = cache / "otava/bin/python"
    if not (cache / "otava/complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", cache / "otava"], check=True)
        install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", VERSION]
        subprocess.run(install, check=True, timeout=300, capture_output=True)
        (cache / "otava/complete").touch()

    def find(series: Sequence[Sequence[float]]) -> list[list[int]]:
        done = subprocess.run(
            [python, "-c", ORACLE], input=json.dumps(series), check=True, capture_output=True, text=True
        )
        found: list[list[int]] = json.loads(done.stdout)
        return found

    return find


def compared(made: Sequence[History], finders: dict[str, Finder]) -> Iterator[Row]:
    """Yield recall and false alarms of each finder; ours must not be proven to be worse than any other."""
    scores = {name: _score(made, find([one.values for one in made])) for name, find in finders.items()}
    for name, score in scores.items():
        for what, cases in score.items():
            rivals = [other[what] for rival, other in scores.items() if rival != name == "ours"]
            good = all(not _worse(cases, rival, recall="recall" in what) for rival in rivals)
            yield Row(
                "change points", f"{name}: {what}", *share(sum(cases), len(cases)),
                goal="not worse than Otava" if rivals else "", met=good if rivals else None,
            )  # fmt: skip


def _worse(own: Sequence[bool], rival: Sequence[bool], *, recall: bool) -> bool:
    """Tell whether it is proven at 5 % on the same series (McNemar 1947, exact, one-sided)."""
    decided = [a for a, b in zip(own, rival, strict=True) if a is not b]
    won = sum(a is recall for a in decided)
    lost = len(decided) - won
    return bool(decided) and float(stats.binomtest(lost, len(decided), alternative="greater").pvalue) < 0.05


def _score(made: Sequence[History], found: Sequence[Sequence[int]]) -> dict[str, list[bool]]:
    """Return by question the answer for every history: was the step found, was anything else found."""
    score: dict[str, list[bool]] = {}
    for step in STEPS:
        cases = [(one, at) for one, at in zip(made, found, strict=True) if one.step == step]
        if step:
            hits = [any(abs(place - one.at) <= NEAR for place in at) for one, at in cases]
            score[f"recall of a step of {step:.0%}"] = hits
        false = [any(not one.step or abs(place - one.at) > NEAR for place in at) for one, at in cases]
        score[f"histories with a false alarm, step {step:.0%}"] = false
    return score
