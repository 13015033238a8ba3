"""`python -m tests.peers.starts`: how long a start takes here, with whom, and what the floor is.

Every peer runs `/bin/true` from the same root, from the start to everything removed again, without a network,
in one mount namespace, in blocks of random order: twice in its turn, first after another peer, then after
itself. Needs root. With `--strict`, exit code 1 says that a goal is missed, by the first of the two.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers import arena, bundle, options
from tests.peers.contestants import TRUE, contestants
from tests.peers.idlers import SLEEP
from tests.peers.marginal import measure
from tests.peers.rounds import interleaved
from tests.peers.verdict import report, table

if TYPE_CHECKING:
    from tests.peers.marginal import Idle

_LONGEST_REST = 60  # seconds
_IDLE_ROUNDS = 3  # `tests.peers.idle` does more


def main(argv: list[str] | None = None) -> int:
    """Run the comparison; returns the exit code."""
    asked = _parser().parse_args(argv)
    if os.geteuid() != 0:
        _say("peers: containers need root: run it with sudo")
        return 3
    arena.enter()
    with arena.folder() as folder:
        peers = contestants(folder, bundle.make(folder, TRUE))
        if asked.only:
            peers = [peer for peer in peers if peer.name in asked.only.split(",")]
        host = arena.host()
        timed = interleaved(
            peers, rounds=asked.rounds, warmup=asked.warmup, seed=asked.seed, say=_say, twice=True,
            pause=asked.pause,
        )  # fmt: skip
        idlers = [] if asked.no_idle else _idle(folder, asked)
        versions = {name: arena.version(name) for name in ("bwrap", "crun", "runc", "podman", "docker")}
        found = {
            **report(timed, idlers), "seed": asked.seed, "rounds": asked.rounds,
            "warmup": asked.warmup, "pause": asked.pause, "host": host, "versions": versions,
        }  # fmt: skip
    print(table(found))  # noqa: T201
    if asked.json:
        Path(asked.json).write_text(json.dumps(found, indent=1) + "\n")
    missed = any(goal["met"] is False for goal in found["goals"])
    return 1 if asked.strict and missed else 0


def _idle(folder: Path, asked: argparse.Namespace) -> list[Idle]:
    made = bundle.make(folder, SLEEP)
    return measure(folder, made, rounds=_IDLE_ROUNDS, seed=asked.seed, only=asked.only, say=_say)


def _parser() -> argparse.ArgumentParser:
    parser = options.parser("peers", "Compare container starts.", rounds=40, warmup=3)
    parser.add_argument("--pause", type=_seconds, default=0, metavar="SECONDS", help="rest before each turn")
    parser.add_argument("--no-idle", action="store_true", help="leave the memory of idle containers out")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= _LONGEST_REST:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {_LONGEST_REST} seconds")
    return seconds


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
