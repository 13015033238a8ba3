"""What weakens a run's figures although the run went well, in words, with a remedy."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from bench.results import Caveat, Run
from bench.target import Accelerator


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
