"""What weakens a run's figures although the run went well, in words, with a remedy."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from bench import warmup
from bench.course import Deadline
from bench.precision import FIRST, needed
from bench.results import Caveat, Measurement, Run
from bench.stats.estimate import LEVEL
from bench.stats.holm import holm
from bench.stats.serial import Resemblance, resemblance
from bench.stats.summary import counted
from bench.target import Accelerator

AGREEMENT = 0.05
"""Share by which two accounts of the same memory may differ."""
BATCH = 1024 * 1024
"""Bytes for each instance below which they may differ: the kernel adds charges up in batches per CPU."""

NARROW = 1.2
"""Factor by which an interval is too narrow that is worth a warning."""
NAMED = 4
"""Measurements that a warning names."""


OF_THE_RUN = frozenset({
    "disturbed", "accounts", "time", "warm-up", "sequence", "precision", "a/a", "resumed"
})  # fmt: skip
"""Codes of what only the run itself shows; other warnings are about the host and known before."""


def emulation(accelerators: Iterable[Accelerator]) -> list[Caveat]:
    """Warn when virtual machines are emulated."""
    if not any(accelerator.name == "tcg" for accelerator in accelerators):
        return []
    return [
        Caveat(
            code="emulated",
            text="virtual machines are emulated (TCG): how fast they compute says nothing about hypervisors",
            remedy="run on a host where `tare vm check` proves KVM; a start that is fast even so stays fast",
        )
    ]


def disturbance(run: Run) -> list[Caveat]:
    """Warn of every scenario and target of which more than half of the counted turns were set aside."""
    outcomes: dict[tuple[str, str], dict[tuple[int, int], str | None]] = defaultdict(dict)
    for measurement in run.measurements:
        for sample in measurement.samples:
            if not sample.warmup:
                turn = (sample.round, sample.position)
                outcomes[measurement.scenario, measurement.target].setdefault(turn, sample.excluded)
    return [
        caveat for (name, target), turns in outcomes.items() if (caveat := _disturbed(name, target, turns))
    ]


def _disturbed(scenario: str, target: str, turns: dict[tuple[int, int], str | None]) -> Caveat | None:
    reasons = Counter(reason for reason in turns.values() if reason)
    if 2 * reasons.total() <= len(turns):
        return None
    share = f"{reasons.total()} of {len(turns)} runs were set aside ({', '.join(reasons)})"
    return Caveat(
        code="disturbed",
        text=f"{scenario} on {target}: {share}",
        remedy="stop other programs, or use a quieter host, and run again; the samples are in the file",
    )


def time(deadline: Deadline) -> list[Caveat]:
    """Warn of turns for which there was no time."""
    if not deadline.cut:
        return []
    return [
        Caveat(
            code="time",
            text=f"the time was up: left out were {deadline.shortfall()} turns",
            remedy="give a longer --max-time, or choose fewer targets or scenarios",
        )
    ]


def warming(run: Run, decisive: Iterable[str]) -> list[Caveat]:
    """Warn of every target that was still becoming faster when its warm-ups were used up."""
    found = []
    for m in run.measurements:
        values = [s.value for s in sorted(m.samples, key=lambda s: s.round) if s.warmup]
        enough = len(values) > warmup.IN_A_ROW  # of fewer nothing can be said
        if m.metric in decisive and enough and not warmup.is_warm(values, 1):
            found.append(
                Caveat(
                    code="warm-up",
                    text=f"{m.scenario} on {m.target} was still becoming faster after {len(values)} warm-ups",
                    remedy="run it again at once, or with more --runs: there is one warm-up for four of them",
                )
            )
    return found


def imprecise(run: Run, decisive: Mapping[str, str], share: float | None) -> list[Caveat]:
    """Warn of medians that `--precision` was to make known to `share`, and that the last run has not.

    `decisive` is the metric by scenario of which that is asked; "": of none.
    """
    if share is None:
        return []
    asked = [m for m in run.measurements if m.metric == decisive.get(m.scenario)]
    short = {_label(m): len(counted(m)) for m in asked if needed(_in_order(m), share) > len(counted(m))}
    if not short:
        return []
    return [
        Caveat(
            code="precision",
            text=f"not known to {share * 100:g} % as --precision asks: "
            + ", ".join(f"{name} (n = {n})" for name, n in short.items()),
            remedy=f"allow more runs (--runs, at least {FIRST}) or time (--max-time), or ask for less",
        )
    ]


def unlike_itself(run: Run) -> list[Caveat]:
    """Warn of every target that differs from itself: what differs between its runs is not the target."""
    shut = [v for v in run.verdicts if v.get("kind") == "a/a" and not v["passed"]]
    return [
        Caveat(
            code="a/a",
            text=f"{v['scenario']}/{v['target']}/{v['metric']}: two halves of its runs differ by a factor "
            f"of {v['ratio']:.3g} (p = {v['p']:.2g}), so no difference as small as that is claimed",
            remedy="run again on a quieter host; `tare system check` tells what disturbs this one",
        )
        for v in shut
    ]


def sequence(run: Run) -> list[Caveat]:
    """Warn of medians whose runs resemble the ones before them: their intervals take runs for independent."""
    tested = {_label(m): resemblance(_in_order(m)) for m in run.measurements}
    found = {name: one for name, one in tested.items() if one}
    adjusted = zip(found.items(), holm([one.p for one in found.values()]), strict=True)
    alike = {name: one for (name, one), p in adjusted if p <= 1 - LEVEL and one.widening >= NARROW}
    if not alike:
        return []
    return [
        Caveat(
            code="sequence",
            text="runs resemble the runs before them, so intervals of medians are too narrow by the factor "
            f"given: {_factors(alike)}; what is compared round by round within this run is not affected",
            remedy="run on a quieter host, and compare two versions in one run (--ab), not in two",
        )
    ]


def _label(measurement: Measurement) -> str:
    params = "".join(f" {name}={value}" for name, value in measurement.params.items())
    return f"{measurement.scenario}/{measurement.target}/{measurement.metric}{params}"


def _in_order(measurement: Measurement) -> list[float]:
    return [s.value for s in sorted(counted(measurement), key=lambda s: (s.round, s.position))]


def _factors(alike: Mapping[str, Resemblance]) -> str:
    """Name the worst few, the worst first."""
    worst = sorted(alike.items(), key=lambda item: -item[1].widening)
    named = ", ".join(f"{name} {one.widening:.1f}" for name, one in worst[:NAMED])
    return named if len(worst) <= NAMED else f"{named} and {len(worst) - NAMED} more"


def accounts(run: Run) -> list[Caveat]:
    """Warn of every target whose cgroups charge other anonymous memory than its processes hold.

    The two are the same pages, counted once by the memory controller and once from the page tables.
    """
    seen: dict[tuple[str, float, int, int], dict[str, float]] = defaultdict(dict)
    for m in run.measurements:
        if m.scenario == "memory" and m.metric in {"cgroup_anon", "pss_anon"}:
            for sample in m.samples:
                key = m.target, float(m.params.get("n", 1)), sample.round, sample.position
                seen[key][m.metric] = sample.value
    worst: dict[str, float] = {}
    for (target, n, _, _), pair in seen.items():
        if len(pair) == 2 and pair["cgroup_anon"] > 0:  # noqa: PLR2004 - one of each
            worst[target] = max(worst.get(target, 0.0), _gap(pair, n))
    return [
        Caveat(
            code="accounts",
            text=f"memory on {target}: cgroup and page tables differ by {gap:.0%} in anonymous memory",
            remedy="distrust both figures, and report this with the result file: they count the same pages",
        )
        for target, gap in worst.items()
        if gap > AGREEMENT
    ]


def _gap(pair: dict[str, float], n: float) -> float:
    gap = abs(pair["cgroup_anon"] - pair["pss_anon"])
    return gap / max(pair.values()) if gap > BATCH * n else 0.0
