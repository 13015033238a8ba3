"""In which order the targets run: interleaved in randomised, balanced blocks.

Anything that drifts (temperature, page cache, a neighbour) then hits all targets alike. A block is two
rounds: a random permutation of the targets and its mirror image (ABBA), which cancels a linear drift
exactly (Cox 1958, "Planning of Experiments", section 3.2).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Literal

from bench.errors import BenchFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Order = Literal["interleaved", "blocked"]


@dataclass(frozen=True)
class Slot:
    """One start of one target. (round, position) is unique; warm-ups have the lowest rounds.

    `block` is the round with which its block of two begins. `spares` is the first spare round, in a spare
    slot, and else 0.

    In "interleaved" order slots come sorted by (round, position); in "blocked" order one target after the
    other.
    """

    round: int
    position: int
    target: str
    warmup: bool = False
    block: int = field(default=0, compare=False)
    spares: int = field(default=0, compare=False)


def blocks(
    targets: Sequence[str],
    runs: int | Mapping[str, int],
    seed: int,
    order: Order = "interleaved",
    *,
    warmups: int | Mapping[str, int] = 1,
) -> Iterator[Slot]:
    """Yield every start of a scenario; the same arguments give the same order.

    `runs` is the number of counted runs, for all targets or by target: those with fewer (slow VMs) are
    spread evenly over the rounds. Each target with runs also gets `warmups` runs first, of which the caller
    may leave out the later ones: the others stay where they are. Raises `BenchFault`
    ("usage") for a target twice or negative or missing numbers.
    """
    wanted = _wanted(targets, runs)
    warm = _wanted(list(wanted), warmups)
    rounds = [
        *_warmup_rounds(warm, seed),
        *_counted_rounds(wanted, max(warm.values(), default=0), seed),
    ]
    if order == "interleaved":
        return chain.from_iterable(rounds)
    by_target = sorted(chain.from_iterable(rounds), key=lambda slot: (not slot.warmup, slot.round))
    first = _shuffled(wanted, seed, "blocked")
    return iter(sorted(by_target, key=lambda slot: first.index(slot.target)))


def spare(runs: Mapping[str, int], first: int, seed: int) -> Iterator[Slot]:
    """Yield as many slots of each target as `runs` says, in rounds from `first` on: those that make good.

    Which of them are taken is not known beforehand, so all targets begin at once.
    """
    for index in range(max(runs.values(), default=0)):
        block, mirrored = divmod(index, 2)
        order = _shuffled(runs, seed, f"spare {block}")
        present = [t for t in (reversed(order) if mirrored else order) if runs[t] > index]
        number = first + index
        yield from (
            Slot(number, place, target, block=number - mirrored, spares=first)
            for place, target in enumerate(present)
        )


def _wanted(targets: Sequence[str], runs: int | Mapping[str, int]) -> dict[str, int]:
    if len(set(targets)) != len(targets):
        raise _usage("a target is named twice", "name every target once")
    missing = [t for t in targets if not isinstance(runs, int) and t not in runs]
    if missing:
        raise _usage(f"no number of runs for {missing[0]}", "give a number for every target")
    wanted = {t: runs if isinstance(runs, int) else runs[t] for t in targets}
    if any(number < 0 for number in wanted.values()):
        raise _usage("a number of runs is negative", "use 0 or more")
    return {target: number for target, number in wanted.items() if number}


def _warmup_rounds(warm: Mapping[str, int], seed: int) -> Iterator[list[Slot]]:
    for index in range(max(warm.values(), default=0)):
        order = [target for target in _shuffled(warm, seed, f"warmup {index}") if warm[target] > index]
        yield [Slot(index, place, target, warmup=True, block=index) for place, target in enumerate(order)]


def _counted_rounds(wanted: Mapping[str, int], offset: int, seed: int) -> Iterator[list[Slot]]:
    total = max(wanted.values(), default=0)
    for index in range(total):
        block, mirrored = divmod(index, 2)
        order = _shuffled(wanted, seed, f"block {block}")
        present = [
            t for t in (reversed(order) if mirrored else order) if _takes_part(index, wanted[t], total)
        ]
        start = offset + index - mirrored
        yield [Slot(offset + index, place, target, block=start) for place, target in enumerate(present)]


def _takes_part(index: int, runs: int, total: int) -> bool:
    # Bresenham's line: exactly `runs` of the `total` rounds, as evenly as integers allow, centred.
    half = total // 2
    return ((index + 1) * runs + half) // total > (index * runs + half) // total


def _shuffled(targets: Mapping[str, int], seed: int, purpose: str) -> list[str]:
    order = sorted(targets)  # so that the seed alone decides, not the order on the command line
    random.Random(f"{seed}/{purpose}").shuffle(order)  # noqa: S311 - a schedule is no secret
    return order


def _usage(text: str, hint: str) -> BenchFault:
    return BenchFault(text, hint=hint, kind="usage")
