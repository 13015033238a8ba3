"""`python -m tests.calibration.run`: what Tare says about its statistics, tested on simulated and real data.

Prints a table and saves it as JSON. The real starts need root; without it their part is left out, and the
table says so. Exit code 1: a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli.table import table
from bench.scenarios.startup import RUNS
from bench.stats import median
from tests.calibration import alarms, coverage, histories, shapes, starts
from tests.calibration.coverage import PRECISIONS
from tests.calibration.verdicts import HEAD, Row, missed, plain, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Part = Callable[[], Iterable[Row]]

ROUNDS = 4800
"""Sixteen comparisons of the default number of runs for each delay, none of which shares a start."""
SMALL = 20
"""Rounds of one real A/A comparison; so few make many of them."""
WORK: list[Part] = []
"""What is computed, where forked processes find it: a shape can't be sent to one."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tare"


def main(argv: list[str] | None = None) -> int:
    """Calibrate; returns the exit code."""
    asked, began = _parser().parse_args(argv), time.monotonic()
    notes: list[str] = []
    rows: list[Row] = []
    real = _real(asked, notes)
    for found in _computed(_parts(asked, real, notes)):
        rows += found
        for row in found:
            _say(" | ".join(row.cells()))
    took = time.monotonic() - began
    print(table(HEAD, [row.cells() for row in rows]))  # noqa: T201
    for note in (*notes, summary(rows), f"{took:.0f} s, seed {asked.seed}"):
        print(note)  # noqa: T201
    saved: dict[str, Any] = {"seed": asked.seed, "seconds": took, "notes": notes, "rows": plain(rows)}
    if real:
        saved["starts"] = asdict(real)
    Path(asked.json).write_text(json.dumps(saved, indent=1) + "\n")
    return 1 if missed(rows) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="calibrate", description="Test the statistics.")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"real rounds of eight starts (default: {ROUNDS})"
    )
    parser.add_argument("--seed", type=int, default=1, help="of order and simulation (default: 1)")
    parser.add_argument("--json", metavar="FILE", default="calibration.json", help="where the table is saved")
    parser.add_argument("--no-starts", action="store_true", help="leave the real starts out")
    parser.add_argument(
        "--starts", type=Path, metavar="FILE", help="take the real starts of that calibration"
    )
    parser.add_argument("--no-otava", action="store_true", help="leave the comparison with Otava out")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"where Otava is kept (default: {CACHE})")
    parser.add_argument("--root", type=Path, default=Path("/var/tmp/tare-calibrate"), help="Tare's data")
    return parser


def _real(asked: argparse.Namespace, notes: list[str]) -> starts.Found | None:
    if asked.starts:
        found = starts.Found(**json.loads(asked.starts.read_text())["starts"])
    elif asked.no_starts or os.geteuid() != 0:
        notes.append("real starts were left out" + ("" if asked.no_starts else ": they need root"))
        return None
    else:
        found = starts.measure(asked.rounds, asked.seed, asked.root, asked.root / "run", _say)
    notes.append(f"{sum(found.good)} of {len(found.good)} real rounds met no exclusion rule")
    if not found.quiet:
        notes.append("this host was too busy for that: all rounds were taken, disturbed or not")
    notes.extend(_costs(found))
    return found


def _costs(found: starts.Found) -> Iterator[str]:
    name, smallest = min(found.delays.items(), key=lambda item: item[1])
    for own, what in (("null", "the harness's own cost (null target)"), ("native", "a bare process")):
        cost = found.own[own]
        share = f"{cost['median'] / smallest:.0%} of the smallest effect, {name} ({1e3 * smallest:.3f} ms)"
        yield f"{what}: {_words(cost['median'], cost['low'], cost['high'], cost['n'])}, {share}"
    for name, seconds in found.delays.items():
        yield f"{name}: {1e3 * seconds:.3f} ms were injected, {found.share(name):.1%} of the median"
    for name, values in found.rounds.items():
        one = median(values.tolist())
        yield f"{name}: {_words(one.value, one.low, one.high, one.n)}"


def _words(value: float, low: float | None, high: float | None, n: int) -> str:
    return f"{1e3 * value:.3f} ms ({1e3 * (low or 0):.3f} to {1e3 * (high or 0):.3f}, n = {n})"


def _parts(asked: argparse.Namespace, real: starts.Found | None, notes: list[str]) -> list[Part]:
    """Return what the table is made of, in its order; the longest first of what takes long."""
    seed, made = asked.seed, shapes.simulated()
    told = _real_shapes(real) if real else []
    parts: list[Part] = [partial(coverage.coverage, [shape], seed) for shape in (*made, *told)]
    parts += [partial(coverage.sequential, [shape], seed) for shape in made if shape.name in PRECISIONS]
    parts += [partial(alarms.simulated, [shape], seed) for shape in made]
    parts.append(partial(alarms.equivalence, seed))
    if real:
        parts += _on_real(real, seed)
    parts.append(partial(histories.compared, histories.histories(seed), _finders(asked, notes)))
    return parts


def _real_shapes(real: starts.Found) -> Iterator[shapes.Shape]:
    for name in starts.NAMES:
        values, again = real.rounds[name], real.rounds[f"{name}-again"]
        middle = float(shapes.np.median(values))
        yield shapes.Shape(f"real {name}", middle, shapes.resampled(values))
        drawn = shapes.in_rounds(values, again)
        quotient = middle / float(shapes.np.median(again))
        yield shapes.Shape(
            f"real {name}, in rounds", middle, drawn, paired=True, required=False, ratio=quotient
        )


def _on_real(real: starts.Found, seed: int) -> Iterator[Part]:
    runs = RUNS["default"]
    for n in (SMALL, *sorted({runs[name] for name in starts.NAMES})):
        yield partial(alarms.real_alarms, real.tables, starts.NAMES, n)
    sizes = {injected: runs[injected.partition("-")[0]] for injected in real.delays}
    yield partial(alarms.real_power, real.tables, sizes)
    for injected, n in sizes.items():
        yield partial(alarms.power, real.tables, injected.partition("-")[0], injected, n, seed)


def _finders(asked: argparse.Namespace, notes: list[str]) -> dict[str, histories.Finder]:
    finders: dict[str, histories.Finder] = {"ours": histories.ours}
    if not asked.no_otava:
        try:
            finders["Otava"] = histories.otava(asked.cache)
        except (OSError, subprocess.SubprocessError) as err:
            notes.append(f"Apache Otava can't be had here, so nothing is compared with it: {err}")
    return finders


def _computed(parts: list[Part]) -> Iterator[list[Row]]:
    """Yield the rows of every part, in order; the parts, which are forked with their data, share the CPUs."""
    WORK[:] = parts
    with multiprocessing.get_context("fork").Pool() as pool:
        yield from pool.imap(_compute, range(len(parts)))


def _compute(index: int) -> list[Row]:
    return list(WORK[index]())


def _say(line: str) -> None:
    sys.stderr.write(f"calibrate: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
