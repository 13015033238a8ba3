"""One run from beginning to end: what is here, what it is measured on, the scenarios, the file."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import msgspec

from bench import calibration, caveats, costs, exclusion, results, resume
from bench.claims.bounds import bounds
from bench.claims.load import select
from bench.clock import now
from bench.course import Deadline
from bench.environment import Survey, survey
from bench.errors import BenchFault
from bench.progress import Progress, progress
from bench.results import Environment, Proof, Run, Writer, new_id, timestamp
from bench.scenario import Scenario
from bench.session import Session
from bench.sizes import Sizes
from bench.target import Availability, Target
from bench.targets.drivers import Drivers
from bench.targets.installed import STANDARD
from bench.targets.registry import targets
from bench.targets.residue import prune
from bench.trial import Trial
from bench.turns import turns
from bench.verdicts import judged


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user asked for. `targets` None means the standard ones, or `every` one, that can run here.

    After `max_time` seconds no further turn begins. With `resume`, `file` is a run that was cut off. With
    `optional`, one of `targets` that can't run is recorded as such and left out. `claims` are ids of claims;
    the verdicts on them go into the file.
    """

    data: Path
    run: Path
    scenarios: tuple[Scenario, ...]
    file: Path
    sizes: Sizes
    command: tuple[str, ...]
    identity: str = ""
    targets: tuple[str, ...] | None = None
    uri: str | None = None
    quiet: bool = False
    max_time: float = math.inf
    resume: bool = False
    every: bool = False
    optional: bool = False
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A target and whether it can run here."""

    target: Target
    availability: Availability


def execute(plan: Plan) -> Run:
    """Measure everything in `plan`; returns the run as it stands in the file.

    Raises BenchFault of kind `host` when a target that was asked for by name can't run here, and the first
    reason when nothing at all could be prepared: a run without a single turn is none.
    """
    earlier = resume.unfinished(plan.file) if plan.resume else None
    plan.file.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        shown = stack.enter_context(progress(quiet=plan.quiet))
        # What a killed run left would stand in the way of this one's figures.
        prune(plan.data, plan.run, shown.note)
        drivers = stack.enter_context(Drivers(plan.data, plan.run, plan.uri, shown.note))
        known = [Found(target, target.availability()) for target in _wanted(plan, targets(drivers))]
        usable = _usable(plan, known)
        plan = _bounded(plan, known)
        head = header(plan, known, survey(plan.data))
        if earlier:
            head = resume.taken_up(earlier, head, plan.scenarios)
        writer = stack.enter_context(Writer(plan.file, head))
        session = _session(plan, usable, writer, shown, drivers)
        if not writer.run.calibrations:
            writer.calibrate(*calibration.own_costs())
        _measure(plan, session, shown)
        _insist(session)
        run, decisive = writer.run, {scenario.decisive for scenario in plan.scenarios}
        found = (
            caveats.disturbance(run),
            caveats.accounts(run),
            caveats.time(session.deadline),
            caveats.warming(run, decisive),
            caveats.sequence(run),
            caveats.imprecise(run, {one.name: one.decisive for one in plan.scenarios}, plan.sizes.precision),
        )
        writer.warn(*chain.from_iterable(found))
        writer.conclude(judged(writer.path, plan.claims))
        writer.warn(*caveats.unlike_itself(writer.run))
    return writer.run


def _bounded(plan: Plan, known: list[Found]) -> Plan:
    """Leave out the turns that tell the claims nothing, now that it is known how the guests run."""
    found = {one.target.name: one.availability.accelerator for one in known}
    emulated = {name for name, proof in found.items() if proof and proof.name != "kvm"}
    most = bounds(select(plan.claims), emulated, fast=plan.sizes.mode == "fast") if plan.claims else {}
    return replace(plan, sizes=replace(plan.sizes, bounds=most))


def _session(
    plan: Plan, usable: Mapping[str, Target], writer: Writer, shown: Progress, drivers: Drivers
) -> Session:
    earlier = writer.run if plan.resume else None
    began = now() - (resume.elapsed(earlier) if earlier else 0.0)
    return Session(
        usable, plan.sizes, writer, shown, started=began, earlier=earlier,
        deadline=Deadline(now() + plan.max_time), trials=partial(_trial, drivers),
    )  # fmt: skip


def _trial(drivers: Drivers, scenario: str, target: str) -> AbstractContextManager[Trial]:
    from bench.trials.opened import opened  # noqa: PLC0415 - most runs have no trial

    return opened(drivers, scenario, target)


def _measure(plan: Plan, session: Session, shown: Progress) -> None:
    labels = [
        f"{scenario.name} {turn.target}"
        for scenario in plan.scenarios
        for turn in turns(scenario, plan.sizes, session.chosen(scenario))
    ]
    shown.plan(labels)
    shown.expect(costs.expected(set(labels), plan.sizes.mode))
    if plan.claims and not plan.quiet:
        shown.note(costs.told(labels, plan.sizes.mode))
    left = [scenario for scenario in plan.scenarios if session.chosen(scenario)]
    while left:
        session.ends = session.deadline.share(now(), len(left))
        left.pop(0).run(session)


def _insist(session: Session) -> None:
    run = session.writer.run
    if session.unprepared and not run.measurements and len(run.failures) == len(session.unprepared):
        raise session.unprepared[0]


def _wanted(plan: Plan, known: Mapping[str, Target]) -> list[Target]:
    """Return the targets to ask whether they can run: to prove an accelerator takes a guest's boot."""
    asked = plan.targets or (tuple(known) if plan.every else STANDARD)
    return [target for name, target in known.items() if name in asked]


def _usable(plan: Plan, known: list[Found]) -> Mapping[str, Target]:
    """Return the targets to measure; what was asked for by name has to be there."""
    for found in known:
        if plan.targets and not plan.optional and not found.availability.available:
            raise BenchFault(
                f"target {found.target.name} can't run here: {found.availability.reason}",
                hint="`tare list targets` shows what can; leave it out of --targets",
                kind="host",
            )
    usable = {f.target.name: f.target for f in known if f.availability.available}
    if not any(name in scenario.targets for scenario in plan.scenarios for name in usable):
        raise BenchFault(
            "there is nothing to measure: no target that can run here makes sense for these scenarios",
            hint="`tare list targets` and `tare list scenarios` show what goes with what",
            kind="host" if plan.targets is None or plan.optional else "usage",
        )
    return usable


def header(plan: Plan, known: list[Found], found: Survey) -> Run:
    """Return the run before its first sample: everything that is settled beforehand."""
    return Run(
        id=plan.identity or new_id(),
        started=timestamp(),
        command=plan.command,
        seed=plan.sizes.seed,
        mode=plan.sizes.mode,
        order=plan.sizes.order,
        environment=_with_proofs(found.environment, known),
        targets=tuple(_described(one) for one in known),
        exclusion_rules=tuple(rule.record() for rule in exclusion.rules()),
        warnings=(
            *found.caveats,
            *caveats.emulation(one.availability.accelerator for one in known if one.availability.accelerator),
        ),
    )


def _described(found: Found) -> results.Target:
    target, availability = found.target, found.availability
    return results.Target(
        name=target.name,
        title=target.title,
        kind=target.kind,
        available=availability.available,
        reason=availability.reason,
        version=availability.version,
    )


def _with_proofs(environment: Environment, known: list[Found]) -> Environment:
    proofs = {
        found.target.name: Proof(name=proven.name, proof=proven.proof, seconds=proven.seconds)
        for found in known
        if (proven := found.availability.accelerator)
    }
    return msgspec.structs.replace(environment, accelerators=proofs)
