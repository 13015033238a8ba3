"""`python -m tests.peers.images [EXPERIMENT…]`: pull, push and build a Debian with Tare and its peers.

All experiments are one run, in blocks of random order: each block has one sample of every experiment from
everybody, against docker-registries on loopback, with all state on one file system. Some ten minutes.
Needs root. With `--strict`, exit code 1 says that a goal is missed.
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
from tests.peers.verdict import Goal, report, summary, table

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
    "rebuild-first": (Goal("tare", "docker", 0.5),),
    "rebuild-touched": (Goal("tare", "docker", 0.5),),
    "rebuild-unnoted": (),  # the builder is loaded: reported, and no goal
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
        "experiments": _run(asked.experiments or list(EXPERIMENTS), asked, debian),
        "peak": peak.measure(debian) if not asked.no_peak else None,
    }  # fmt: skip
    if found["peak"]:
        print(peak.line(found["peak"]))  # noqa: T201
    if asked.json:
        Path(asked.json).write_text(json.dumps(found, indent=1) + "\n")
    goals = [goal for one in found["experiments"].values() for goal in one["goals"]]
    missed = any(goal["met"] is False for goal in [*goals, *([found["peak"]] if found["peak"] else [])])
    return 1 if asked.strict and missed else 0


def _run(names: list[str], asked: argparse.Namespace, debian: Debian) -> dict[str, Any]:
    """Time all experiments in the same blocks; returns the report of each."""
    with arena.folder() as place, arena.disk(place) as folder, ExitStack() as stack:
        benches = {kind: _Bench(kind, folder / kind, debian, stack) for kind in ("pull", "push", "build")}
        who = asked.only.split(",") if asked.only else list(movers.ALL)
        entries = [(name, *benches[_kind(name)].entry(name, each)) for name in names for each in who]
        timed = interleaved(
            [peer for _, peer, _ in entries if peer],
            rounds=asked.rounds, warmup=asked.warmup, seed=asked.seed, say=_say,
        )  # fmt: skip
        found = iter(timed)
        results = [(name, next(found) if peer else lacking) for name, peer, lacking in entries]
    reports = {name: _reported(name, [one for of, one in results if of == name]) for name in names}
    for name, one in reports.items():
        print(f"{name}\n{table(one)}", flush=True)  # noqa: T201
    print(summary(reports), flush=True)  # noqa: T201
    return reports


def _reported(name: str, timed: list[Timed]) -> dict[str, Any]:
    asked_for = [one for one in timed if one.missing not in _NOT_ASKED]
    return report(asked_for, [], bases=("podman", "docker"), goals=EXPERIMENTS[name])


_NOT_ASKED = (transfers.NO_PUSH, builds.NO_BUILD)


def _kind(name: str) -> str:
    return name.partition("-")[0] if name.startswith(("pull", "push")) else "build"


class _Bench:
    """The movers of one kind of experiment with their storage, and a registry for each experiment."""

    def __init__(self, kind: str, folder: Path, debian: Debian, stack: ExitStack) -> None:
        self._kind, self._folder, self._debian, self._stack = kind, folder, debian, stack
        self._movers: dict[str, movers.Mover | Timed] = {}
        self._hosts: dict[str, str] = {}

    def entry(self, name: str, who: str) -> tuple[Peer | None, Timed]:
        """Return a peer of an experiment, or None and the reason."""
        if who not in self._movers:
            try:
                self._movers[who] = self._stack.enter_context(movers.ALL[who](self._folder))
            except Missing as err:
                self._movers[who] = Timed(who, "", missing=str(err))
        mover = self._movers[who]
        if isinstance(mover, Timed):
            return None, mover
        return self._peer(name, mover), Timed(who, "")

    def _peer(self, name: str, mover: movers.Mover) -> Peer:
        image = EIGHT if name.endswith("eight") else ONE
        registry = self._folder / f"{name}-registry"
        if name not in self._hosts:
            registry.parent.mkdir(exist_ok=True)
            self._hosts[name] = self._stack.enter_context(transfers.registry(registry, self._debian, image))
        whole = f"{self._hosts[name]}/{image}"
        if self._kind == "pull":
            return transfers.pull(
                mover, whole, self._folder / "tare/images" if mover.name == "tare" else None
            )
        if self._kind == "push":
            return transfers.push(mover, whole, registry)
        context = self._folder / f"{mover.name}-contexts" / name
        if name == "stages":
            return builds.stages(mover, whole, context)
        return builds.cached(mover, whole, context, name)


def _parser() -> argparse.ArgumentParser:
    parser = options.parser("peers images", "Compare pulls, pushes and builds.", rounds=7, warmup=1)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="of " + ", ".join(EXPERIMENTS))
    parser.add_argument("--no-peak", action="store_true", help="leave the peak memory of a pull out")
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
