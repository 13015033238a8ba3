"""Time peers in blocks: each block runs every peer once, in an order drawn anew, so that drift hits all.

In its turn a peer finds the caches as the others left them. Asked to, it runs a second time right after the
first, as a tool finds it that runs one command in a row (hyperfine): both are timed, and kept apart.
"""

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
    """A peer and its seconds; `missing` says why there are none. `again`: right after one of its own.

    `settling` are the seconds that what each sample left behind took to reach the disk (`Staged.settle`).
    """

    name: str
    what: str
    samples: list[float] = field(default_factory=list)
    settling: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    missing: str = ""


def interleaved(
    peers: Iterable[Peer],
    *,
    rounds: int,
    warmup: int,
    seed: int,
    say: Callable[[str], None],
    twice: bool = False,
    pause: float = 0,
) -> list[Timed]:
    """Time `rounds` blocks after `warmup` blocks that are thrown away; `twice` asks for `Timed.again`.

    `pause` are seconds of rest before each peer's turn.
    """
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
                time.sleep(pause)
                _sample(timed, action, kept=number >= 0, twice=twice)
    return found


def _sample(timed: Timed, action: Callable[[], None], *, kept: bool, twice: bool) -> None:
    if timed.missing:
        return
    try:
        if isinstance(action, Staged):
            action.prepare()
        seconds = _seconds(action)
        settling = [_seconds(action.settle)] if isinstance(action, Staged) else []
        again = [_seconds(action)] if twice else []
    except (OSError, subprocess.SubprocessError) as err:
        timed.missing = f"failed in a round: {err}"
        return
    if kept:
        timed.samples.append(seconds)
        timed.settling += settling
        timed.again += again


def _seconds(action: Callable[[], None]) -> float:
    begin = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - begin) / 1e9
