"""Time peers in blocks: each block runs every peer once, in an order drawn anew, so that drift hits all."""

from __future__ import annotations

import random
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.peers.peer import Missing, Staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.peers.peer import Peer


@dataclass
class Timed:
    """A peer and its seconds; `missing` says why there are none.

    `settling` are the seconds that what each sample left behind took to reach the disk (`Staged.settle`).
    """

    name: str
    what: str
    samples: list[float] = field(default_factory=list)
    settling: list[float] = field(default_factory=list)
    missing: str = ""


def interleaved(
    peers: Iterable[Peer], *, rounds: int, warmup: int, seed: int, say: Callable[[str], None]
) -> list[Timed]:
    """Time `rounds` blocks after `warmup` blocks that are thrown away."""
    chance, found = random.Random(seed), []
    actions: list[tuple[Timed, Callable[[], None]]] = []
    with ExitStack() as opened:
        for peer in peers:
            timed = Timed(peer.name, peer.what)
            found.append(timed)
            try:
                actions.append((timed, opened.enter_context(peer.open())))
            except (Missing, OSError, subprocess.SubprocessError) as err:
                timed.missing = str(err)
            say(f"{peer.name}: {timed.missing or 'ready'}")
        for number in range(-warmup, rounds):
            chance.shuffle(actions)
            for timed, action in actions:
                _sample(timed, action, kept=number >= 0)
    return found


def _sample(timed: Timed, action: Callable[[], None], *, kept: bool) -> None:
    if timed.missing:
        return
    try:
        if isinstance(action, Staged):
            action.prepare()
        seconds = _seconds(action)
        settling = [_seconds(action.settle)] if isinstance(action, Staged) else []
    except (OSError, subprocess.SubprocessError) as err:
        timed.missing = f"failed in a round: {err}"
        return
    if kept:
        timed.samples.append(seconds)
        timed.settling += settling


def _seconds(action: Callable[[], None]) -> float:
    begin = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - begin) / 1e9
