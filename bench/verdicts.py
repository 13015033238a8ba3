"""What follows from a whole run, by a process of its own: numpy never is where something is measured.

`python -m bench.verdicts FILE [CLAIM…]` prints verdicts on a result file as JSON: the A/A gates, and those on
the claims that are named.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.claims.judge import verdicts
from bench.claims.load import select
from bench.errors import BenchFault
from bench.results import load
from bench.stats.gate import gates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.stats.gate import Gate

SECONDS = 300
HOME = Path(__file__).parents[1]


def judged(file: Path, claims: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the verdicts on a result file. Raises `BenchFault` ("failed") when the process fails."""
    command = [sys.executable, "-m", "bench.verdicts", str(file.absolute()), *claims]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=SECONDS, cwd=HOME)
        return msgspec.json.decode(done.stdout, type=list[dict[str, Any]])
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as err:
        raise BenchFault(
            f"cannot judge {file}: {err}", hint=f"try it by hand: {' '.join(command)}", kind="failed"
        ) from err


def verdict(gate: Gate) -> dict[str, Any]:
    """Return a gate as the result file keeps it."""
    return {
        "kind": "a/a", "scenario": gate.scenario, "target": gate.target, "metric": gate.metric,
        "params": gate.params, "n": gate.n, "ratio": gate.ratio.value, "low": gate.ratio.low,
        "high": gate.ratio.high, "p": gate.p, "passed": gate.passed, "floor": gate.floor,
        "detectable": gate.detectable,
    }  # fmt: skip


def main(argv: list[str]) -> int:
    """Print the verdicts on the file that is named, and on the claims."""
    run = load(Path(argv[0]))
    found = [verdict(gate) for gate in gates(run)]
    if argv[1:]:
        found += verdicts(select(argv[1:]), run)
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
