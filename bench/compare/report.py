"""Compares two runs, or two targets of one run: pairs what was measured alike, judges all pairs as a family.

Holm's correction is over all pairs of one report, so that the chance of any false "slower" or "faster" in it
is at most 5 %. Warm-ups and excluded samples do not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.compare.facts import described, differing
from bench.compare.merit import DIAGNOSTIC
from bench.compare.row import Row, Side
from bench.errors import BenchFault
from bench.stats.comparison import MARGIN, compare, family
from bench.stats.gate import FEWEST, key, known
from bench.stats.location import median
from bench.stats.pairing import match
from bench.stats.summary import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.results import Measurement, Run
    from bench.stats.comparison import Comparison
    from bench.stats.gate import Known

TOLD = frozenset({"rounds", "disturbed", "time", "resumed", "sequence"})
"""Codes of a run's warnings that weaken a comparison with it; a shut A/A gate has a note of its own."""
Key = tuple[str, str, str, tuple[tuple[str, object], ...]]
Keep = Callable[["Measurement"], bool]


@dataclass(frozen=True)
class Pair:
    """Two targets of one run: what `new` is to `base`."""

    base: str
    new: str


@dataclass(frozen=True)
class Report:
    """What one comparison found.

    `differences` names the facts that are not the same on both sides; `only_base` and `only_new` are what
    one side alone has measured; `notes` are sentences that a reader has to see.
    """

    base: str
    new: str
    margin: float
    rows: tuple[Row, ...]
    differences: dict[str, tuple[str, str]]
    only_base: tuple[str, ...]
    only_new: tuple[str, ...]
    notes: tuple[str, ...]
    pair: Pair | None = None


def everything(_measurement: Measurement) -> bool:
    """Keep all of a run."""
    return True


def selection(targets: Sequence[str], metrics: Sequence[str]) -> Keep:
    """Keep what is of these targets and metrics; an empty list keeps all."""
    return lambda m: (not targets or m.target in targets) and (not metrics or m.metric in metrics)


def compare_runs(base: Run, new: Run, *, margin: float = MARGIN, keep: Keep = everything) -> Report:
    """Compare `new` with `base`, target by target and metric by metric.

    `margin` is the difference that nobody minds (0.05: 5 %). Raises BenchFault of kind `usage` when the two
    have measured nothing alike.
    """
    one, other = _measured(base, keep), _measured(new, keep)
    gates = known(base), known(new)
    found = _report(one, other, margin, (base.id, new.id), gates)
    notes = [
        *_state(base, "the base"),
        *_state(new, "the new run"),
        *_gates(base, "the base", one.values(), gates[0]),
        *_gates(new, "the new run", other.values(), gates[1]),
        *_same(base, new),
    ]
    both = _pairs(one) & _pairs(other)  # what one side alone has measured is told as such
    differences = differing(described(base, both), described(new, both))
    return replace(found, differences=differences, notes=tuple(notes))


def compare_targets(
    run: Run, base: str, new: str, *, margin: float = MARGIN, keep: Keep = everything
) -> Report:
    """Compare two targets of one run, which took turns, so that no drift of the host is between them."""
    measured = list(dict.fromkeys(m.target for m in run.measurements))
    for name in (base, new):
        if name not in measured:
            raise BenchFault(
                f"run {run.id} has not measured {name}",
                hint=f"it has: {', '.join(measured) or 'nothing'}",
                kind="usage",
            )
    one, other = (_anonymous(run, name, keep) for name in (base, new))
    gates, ids = known(run), (f"{run.id}: {base}", f"{run.id}: {new}")
    found = _report(one, other, margin, ids, (gates, gates), within=True)
    notes = [*_state(run, "the run"), *_gates(run, "the run", [*one.values(), *other.values()], gates)]
    return replace(found, notes=tuple(notes), pair=Pair(base, new))


def _report(
    base: dict[Key, Measurement],
    new: dict[Key, Measurement],
    margin: float,
    ids: tuple[str, str],
    gates: tuple[Mapping[Key, Known], Mapping[Key, Known]],
    *,
    within: bool = False,
) -> Report:
    shared = [key for key in base if key in new]
    if not shared:
        raise BenchFault(
            f"{ids[0]} and {ids[1]} have measured nothing alike",
            hint="compare runs of the same scenarios and targets; `tare results show RUN` shows one's",
            kind="usage",
        )
    rows = _judged([
        replace(
            _row(base[key], new[key], margin, within=within),
            unlike=max(_unlike(base[key], gates[0]), _unlike(new[key], gates[1])),
        )
        for key in shared
    ])  # fmt: skip
    left, right = (_named(a[key] for key in a if key not in b) for a, b in ((base, new), (new, base)))
    return Report(ids[0], ids[1], margin, tuple(rows), {}, left, right, ())


def _measured(run: Run, keep: Keep) -> dict[Key, Measurement]:
    chosen = (m for m in run.measurements if m.samples and m.metric not in DIAGNOSTIC and keep(m))
    places = {target.name: place for place, target in enumerate(run.targets)}
    return {_key(m): m for m in sorted(chosen, key=lambda m: places[m.target])}


def _anonymous(run: Run, target: str, keep: Keep) -> dict[Key, Measurement]:
    """Return what `target` has measured, by keys without its name."""
    found = _measured(run, lambda m: m.target == target and keep(m))
    return {(scenario, "", metric, params): m for (scenario, _, metric, params), m in found.items()}


def _key(m: Measurement) -> Key:
    return m.scenario, m.target, m.metric, tuple(sorted(m.params.items()))


def _pairs(measured: Mapping[Key, Measurement]) -> set[tuple[str, str]]:
    """Return scenario and target of each."""
    return {(m.scenario, m.target) for m in measured.values()}


def _named(rest: Iterable[Measurement]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{m.scenario}/{m.target}/{m.metric}" for m in rest))


def _compared(base: Measurement, new: Measurement, margin: float, *, within: bool) -> Comparison | None:
    """Compare round by round what took turns in one run: what the host did in a round is in both of them."""
    groups = counted(new), counted(base)
    if not within:
        return compare(*([s.value for s in group] for group in groups), margin=margin)
    found = match(*groups)
    return compare(found.first, found.second, margin=margin, paired=found.paired)


def _row(base: Measurement, new: Measurement, margin: float, *, within: bool) -> Row:
    old_values, new_values = ([s.value for s in counted(m)] for m in (base, new))
    why = _obstacle(base, new, old_values, new_values)
    found = None if why else _compared(base, new, margin, within=within)
    if found is None and not why:
        why = "a ratio says nothing of values that are zero or negative"
    return Row(
        new.scenario, new.metric, new.unit, new.params, _side(base, old_values), _side(new, new_values),
        found, why,
    )  # fmt: skip


def _obstacle(base: Measurement, new: Measurement, old: list[float], values: list[float]) -> str:
    if not old or not values:
        return f"no sample counts in {'the base' if not old else 'the new run'}"
    if base.unit != new.unit:
        return f"units differ: {base.unit} and {new.unit}"
    accelerators = [{s.accelerator for s in counted(m)} for m in (base, new)]
    if accelerators[0] != accelerators[1] and all(None not in each for each in accelerators):
        words = (" and ".join(sorted(map(str, each))) for each in accelerators)
        return f"accelerators differ: {' against '.join(words)}"
    return ""


def _side(m: Measurement, values: list[float]) -> Side:
    excluded = sum(s.excluded is not None and not s.warmup for s in m.samples)
    return Side(m.target, median(values).value if values else None, len(values), excluded)


def _judged(rows: list[Row]) -> list[Row]:
    """Return the rows with p adjusted for all of them."""
    judged = iter(family(row.comparison for row in rows if row.comparison))
    return [_with(row, next(judged)) if row.comparison else row for row in rows]


def _with(row: Row, comparison: Comparison) -> Row:
    return replace(row, comparison=comparison)


def _unlike(m: Measurement, gates: Mapping[Key, Known]) -> float:
    """Return by which factor, as a logarithm, a target with a shut gate differs from itself; else 0."""
    gate = gates.get(key(m))
    if gate is None or gate.passed:
        return 0.0
    return abs(math.log(gate.ratio)) if gate.ratio > 0 else math.inf


def _gates(run: Run, who: str, compared: Iterable[Measurement], gates: Mapping[Key, Known]) -> list[str]:
    """Say what the A/A gates of a run mean for what is compared."""
    found = [(f"{m.scenario}/{m.target}/{m.metric}", gates.get(key(m))) for m in compared]
    shut = dict.fromkeys(name for name, gate in found if gate and not gate.passed)
    none = sum(gate is None for _, gate in found)
    alike = f"in {who} ({run.id}) not like itself (A/A gate): {', '.join(shut)}; what differs may be the host"
    notes = [f"{alike}, so no difference as small as that from itself is claimed"]
    few = f"in {who} ({run.id}) {none} of {len(found)} figures have no A/A gate, which takes {FEWEST} runs"
    return (notes if shut else []) + ([few] if none else [])


def _state(run: Run, who: str) -> list[str]:
    notes = []
    if run.finished is None:
        notes.append(f"{who} ({run.id}) did not end in order: it may lack samples")
    notes += [f"{who} ({run.id}): {warning.text}" for warning in run.warnings if warning.code in TOLD]
    if run.failures:
        count = len(run.failures)
        words = "start or measurement" if count == 1 else "starts or measurements"
        notes.append(f"in {who} ({run.id}) {count} {words} failed")
    return notes


def _same(base: Run, new: Run) -> list[str]:
    return ["both are the same run, so no difference can be found"] if base == new else []
