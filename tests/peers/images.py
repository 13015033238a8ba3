"""`python -m tests.peers.images [EXPERIMENT…]`: pull, push and build a Debian with Tare and its peers.

Every experiment runs in blocks of random order, as `starts` does, against docker-registries on loopback, with
all state on one file system. Needs root. With `--strict`, exit code 1 says that a goal is missed.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.peers import arena, builds, movers, options, peak, transfers
from tests.peers.debian import EIGHT, ONE, images
from tests.peers.peer import Missing
from tests.peers.rounds import Timed, interleaved
from tests.peers.verdict import Goal, report, table

if TYPE_CHECKING:
    import argparse

    from tests.peers.debian import Debian
    from tests.peers.peer import Peer

_PULL = (Goal("tare", "podman", 0.6), Goal("tare", "docker", 0.5))
EXPERIMENTS = {
    "pull-one": _PULL,
    "pull-eight": _PULL,
    "push-one": (Goal("tare", "docker", 0.5),),
    "push-eight": (Goal("tare", "docker", 0.5),),
    "rebuild": (Goal("tare", "docker", 0.5),),
    "rebuild-touched": (Goal("tare", "docker", 0.5),),  # files with new times and the same contents
    "stages": (Goal("tare", "docker", 0.65),),
}
PROGRAMS = ("podman", "docker", "dockerd", "skopeo", "umoci", "docker-registry")


def main(argv: list[str] | None = None) -> int:
    """Run the comparison; returns the exit code."""
    parser = _parser()
    asked = parser.parse_args(argv)
    if unknown := set(asked.experiments) - set(EXPERIMENTS):
        parser.error(f"no experiment {sorted(unknown)[0]!r}: there are {', '.join(EXPERIMENTS)}")
    if os.geteuid() != 0:
        _say("peers: containers need root: run it with sudo")
        return 3
    os.environ["DOCKER_BUILDKIT"] = "0"  # the classic builder, whatever the client would choose
    try:
        debian = images(Path(os.environ.get("TARE_TEST_ROOT", "/var/tmp/tare-test")) / "peers")
    except Missing as err:
        _say(f"peers: {err}")
        return 3
    arena.enter()
    found = {
        "schema": "tare/peers/1", "seed": asked.seed, "rounds": asked.rounds, "warmup": asked.warmup,
        "host": arena.host(), "versions": {name: arena.version(name) for name in PROGRAMS},
        "image": debian.facts(),
        "experiments": {name: _run(name, asked, debian) for name in asked.experiments or EXPERIMENTS},
        "peak": peak.measure(debian) if not asked.no_peak else None,
    }  # fmt: skip
    if found["peak"]:
        print(peak.line(found["peak"]))  # noqa: T201
    if asked.json:
        Path(asked.json).write_text(json.dumps(found, indent=1) + "\n")
    goals = [goal for one in found["experiments"].values() for goal in one["goals"]]
    missed = any(goal["met"] is False for goal in [*goals, *([found["peak"]] if found["peak"] else [])])
    return 1 if asked.strict and missed else 0


def _run(name: str, asked: argparse.Namespace, debian: Debian) -> dict[str, Any]:
    _say(f"{name}:")
    with arena.folder() as place, arena.disk(place) as folder, ExitStack() as stack:
        image = EIGHT if name.endswith("eight") else ONE
        host = stack.enter_context(transfers.registry(folder / "registry", debian, image))
        peers: list[Peer] = []
        lacking: list[Timed] = []
        for who in asked.only.split(",") if asked.only else movers.ALL:
            try:
                mover = stack.enter_context(movers.ALL[who](folder))
            except Missing as err:
                lacking.append(Timed(who, "", missing=str(err)))
            else:
                peers.append(_peer(name, mover, f"{host}/{image}", folder))
        timed = interleaved(peers, rounds=asked.rounds, warmup=asked.warmup, seed=asked.seed, say=_say)
        timed = [one for one in (*timed, *lacking) if one.missing not in _NOT_ASKED]
        found = report(timed, [], bases=("podman", "docker"), goals=EXPERIMENTS[name])
    print(f"{name}\n{table(found)}", flush=True)  # noqa: T201
    return found


_NOT_ASKED = (transfers.NO_PUSH, builds.NO_BUILD)


def _peer(name: str, mover: movers.Mover, image: str, folder: Path) -> Peer:
    if name.startswith("pull"):
        return transfers.pull(mover, image, folder / "tare/images" if mover.name == "tare" else None)
    if name.startswith("push"):
        return transfers.push(mover, image, folder / "registry")
    context = folder / f"{mover.name}-context"
    if name == "stages":
        return builds.stages(mover, image, context)
    return builds.cached(mover, image, context, touched=name == "rebuild-touched")


def _parser() -> argparse.ArgumentParser:
    parser = options.parser("peers images", "Compare pulls, pushes and builds.", rounds=7, warmup=1)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="of " + ", ".join(EXPERIMENTS))
    parser.add_argument("--no-peak", action="store_true", help="leave the peak memory of a pull out")
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
