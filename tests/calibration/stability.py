"""Would the same command give the same verdicts? `python -m tests.calibration.stability FILE [--rounds N]`.

FILE is the result of `tare claims`. Its runs are drawn anew, with replacement, as a repetition on this host
could have drawn them (the bootstrap), and every claim is judged on each such drawing. What targets did in the
same round is drawn together, for the host's mood hit them alike. A drawing of three runs has less variation
than three new ones: a verdict that changes here is in danger, one that does not is not safe for that. So the
table also shows the room: how many widths of its interval lie between the interval and where it flips.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.claims.figure import used
from bench.claims.judge import combine, judge
from bench.claims.load import claims
from bench.cli.table import table
from bench.results import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.claims.definition import Claim
    from bench.claims.judge import Finding
    from bench.results import Measurement, Run, Sample

ROUNDS = 200
HEAD = ("CLAIM", "PART", "VERDICT", "N", "THE SAME IN", "ELSE", "ROOM")


def narrowed(claim: Claim, run: Run) -> Run:
    """Return the run with only what a claim rests on: the rest would only be judged for nothing."""
    found = {id(one): one for part in claim.part if part.rule for one in used(part, run)}
    return msgspec.structs.replace(run, measurements=tuple(found.values()))


def drawn(run: Run, chance: random.Random) -> Run:
    """Return the run as a repetition could have been: its counted rounds drawn with replacement.

    Measurements of a scenario that were taken in the same rounds share one drawing. Warm-ups stay.
    """
    draws: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    measurements = []
    for one in run.measurements:
        rounds = tuple(sorted({sample.round for sample in one.samples if not sample.warmup}))
        draw = draws.setdefault(
            (one.scenario, rounds), chance.choices(rounds, k=len(rounds)) if rounds else []
        )
        measurements.append(msgspec.structs.replace(one, samples=_redrawn(one, rounds, draw)))
    return msgspec.structs.replace(run, measurements=tuple(measurements))


def _redrawn(one: Measurement, rounds: Sequence[int], draw: Sequence[int]) -> tuple[Sample, ...]:
    by_round: dict[int, list[Sample]] = {}
    for sample in one.samples:
        if not sample.warmup:
            by_round.setdefault(sample.round, []).append(sample)
    warm = [sample for sample in one.samples if sample.warmup]
    new = [
        msgspec.structs.replace(sample, round=place)
        for place, source in zip(rounds, draw, strict=True)
        for sample in by_round[source]
    ]
    return (*warm, *new)


def judged(claim: Claim, run: Run) -> list[Finding]:
    """Return the findings on all parts of a claim."""
    family = sum(part.role == "claim" for part in claim.part)
    return [judge(part, run, family=family) for part in claim.part]


def code(finding: Finding) -> str:
    """Return a verdict with the reason of one that is none: to be undecided is not to be emulated."""
    return finding.verdict if not finding.why else f"open: {finding.why}"


def stability(claim: Claim, run: Run, rounds: int, seed: int = 1) -> list[tuple[str, ...]]:
    """Return the rows of a claim: each part's, and that of the whole with an empty part."""
    run, chance = narrowed(claim, run), random.Random(seed)
    first = judged(claim, run)
    again = [judged(claim, drawn(run, chance)) for _ in range(rounds)]
    whole = combine(first)
    rows = [(claim.id, "", whole, "", *_again(whole, [combine(one) for one in again]), "")]
    for place, one in enumerate(first):
        changes = _again(code(one), [code(found[place]) for found in again])
        rows.append((claim.id, one.part, code(one), str(one.n), *changes, room(one)))
    return rows


def _again(verdict: str, again: Sequence[str]) -> tuple[str, str]:
    """Return the share of drawings with the same verdict, and what the others said."""
    seen = Counter(again)
    others = [f"{name} {count / len(again):.1%}" for name, count in seen.items() if name != verdict]
    return f"{seen[verdict] / len(again):.1%}", ", ".join(others) or "-"


def room(finding: Finding) -> str:
    """Return how many widths of its interval a decision is away from where it flips; "" without either."""
    if finding.low is None or finding.high is None or not finding.flips_at or finding.why:
        return ""
    low, high = finding.low, finding.high
    away = min(min(abs(low - at), abs(high - at)) for at in finding.flips_at)
    return f"{away / (high - low):.1f}" if high > low else "all"


def unstable(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the rows whose verdict was not the same in every drawing."""
    return [row for row in rows if row[HEAD.index("ELSE")] != "-"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="tests.calibration.stability", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="drawings of the whole run")
    parser.add_argument("--all", action="store_true", help="the stable ones too")
    asked = parser.parse_args()
    run = load(asked.file)
    measured = {one.scenario for one in run.measurements}
    known = [one for one in claims().values() if any(part.scenario in measured for part in one.part)]
    rows = [row for one in known for row in stability(one, run, asked.rounds)]
    changing = unstable(rows)
    sys.stdout.write(f"{table(HEAD, rows if asked.all else changing)}\n\n")
    sys.stdout.write(f"{len(changing)} of {len(rows)} verdicts differ in some of {asked.rounds} drawings\n")


if __name__ == "__main__":
    main()
