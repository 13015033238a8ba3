"""`python -m tests.peers.idle`: what one more idle container takes of memory here, by whom it is kept.

Needs root. With `--strict`, exit code 1 says that a goal is missed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.peers import arena, bundle, ledger, options
from tests.peers.idlers import SLEEP
from tests.peers.marginal import measure


def main(argv: list[str] | None = None) -> int:
    """Run the comparison; returns the exit code."""
    parser = options.parser("peers idle", "Compare the memory of idle containers.", rounds=8, warmup=0)
    asked = parser.parse_args(argv)
    if os.geteuid() != 0:
        _say("peers: containers need root: run it with sudo")
        return 3
    arena.enter()
    with arena.folder() as folder:
        made = bundle.make(folder, SLEEP)
        idle = measure(folder, made, rounds=asked.rounds, seed=asked.seed, only=asked.only, say=_say)
        rows = ledger.rows(idle)
        versions = {name: arena.version(name) for name in ("crun", "runc", "podman")}
        found = {"schema": "tare/peers-idle/1", "idle": rows, "seed": asked.seed, "rounds": asked.rounds,
                 "host": arena.host(), "versions": versions}  # fmt: skip
    print("\n".join(ledger.lines(rows)))  # noqa: T201
    if asked.json:
        Path(asked.json).write_text(json.dumps(found, indent=1) + "\n")
    return 1 if asked.strict and any(ledger.met(row) is False for row in rows) else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
