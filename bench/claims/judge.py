"""The verdict on a claim: what holds, what does not, and what this host or this run can't tell."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from bench.claims.definition import Always, AtLeast, Equivalent
from bench.claims.figure import Figure, figure, kind, occasions, used
from bench.claims.rules import boundary, decide, jointly
from bench.claims.words import named
from bench.stats.estimate import LEVEL
from bench.stats.gate import gates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.claims.definition import Claim, Part
    from bench.results import Run

Verdict = Literal["supported", "refuted", "partly", "not evaluable here"]
EPSILON = 1e-9
TWO_ONE_SIDED = 0.90
"""Level of the interval that belongs to two one-sided tests at 5 %."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A part's verdict and its evidence, as the file keeps it; `why` is the code of what is missing."""

    part: str
    role: str
    verdict: Verdict
    why: str = ""
    detail: str = ""
    a_fortiori: bool = False
    scenario: str = ""
    target: str = ""
    baseline: str = ""
    metric: str = ""
    of: str = ""
    over: str = "n"
    unit: str = ""
    n: int = 0
    excluded: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = 0.0
    method: str = "none"
    flips_at: tuple[float, ...] = ()
    accelerators: tuple[str, ...] = ()


def verdicts(claims: Iterable[Claim], run: Run) -> list[dict[str, Any]]:
    """Return the verdicts on `claims` by what `run` measured, as the result file keeps them."""
    return [_verdict(claim, run) for claim in claims]


def combine(findings: Sequence[Finding]) -> Verdict:
    """Return the verdict on a whole: all parts hold, none does, or some are decided and not all alike.

    Where a control does not hold, nothing is decided; one whose target this host lacks may be absent while
    another holds. What can't be evaluated can't make a claim supported or refuted. It can't unmake what the
    other parts say either: with a part that holds, or one that does not, it is `partly`, and the parts tell.
    """
    controls = [one for one in findings if one.role == "control"]
    present = [one for one in controls if one.why != "no-target"]
    if any(one.verdict != "supported" for one in present) or (controls and not present):
        return "not evaluable here"
    said = [one.verdict for one in findings if one.role == "claim"]
    if said and len(set(said)) == 1:
        return said[0]
    return "partly" if {"supported", "refuted"} & set(said) else "not evaluable here"


def digest(claim: Claim, run: Run) -> str:
    """Return the SHA-256 of the raw data: every sample of the measurements that the claim rests on."""
    rows = {msgspec.json.encode(m, order="deterministic") for part in claim.part for m in used(part, run)}
    return sha256(b"\n".join(sorted(rows))).hexdigest() if rows else ""


def _verdict(claim: Claim, run: Run) -> dict[str, Any]:
    family = sum(part.role == "claim" for part in claim.part)
    findings = [judge(part, run, family=family) for part in claim.part]
    return {
        "kind": "claim", "claim": claim.id, "verdict": combine(_asked(claim, findings, run)),
        "preliminary": run.mode == "fast", "definition": claim.digest, "data": digest(claim, run),
        "repeat": ["tare", "claims", claim.id, *(["--fast"] if run.mode == "fast" else []),
                   "--seed", str(run.seed)],
        "parts": [msgspec.json.decode(msgspec.json.encode(one)) for one in findings],
    }  # fmt: skip


def _asked(claim: Claim, findings: Sequence[Finding], run: Run) -> list[Finding]:
    """Return the findings that make the verdict: without optional ones whose target can't run here."""
    here, both = {one.name for one in run.targets if one.available}, zip(claim.part, findings, strict=True)
    return [found for part, found in both if not part.optional or set(part.targets) <= here]


def judge(part: Part, run: Run, *, family: int = 1) -> Finding:
    """Return the finding on one part of a claim of `family` parts."""
    if part.rule is None:
        return _open(part, "no-scenario")
    fast = run.mode == "fast"
    absent = _absent(part, run)
    if absent is not None:
        return absent
    found = figure(part, run, fast=fast, family=family)
    if part.emulation == "nothing" and (emulated := _emulated(part, run)):
        return _open(part, "emulated", ", ".join(emulated), found=found, run=run)  # more runs would not help
    if found is None or not found.estimate.has_interval:
        return _open(part, "few-runs", named(kind(part.rule, fast=fast), part.over), found=found, run=run)
    needed = TWO_ONE_SIDED if isinstance(part.rule, Equivalent) else LEVEL
    if found.estimate.level < needed - EPSILON and (not fast or isinstance(part.rule, Equivalent)):
        return _open(part, "low-level", f"{found.estimate.level:.0%}", found=found, run=run)
    return _decided(part, run, found)


def _decided(part: Part, run: Run, found: Figure) -> Finding:
    assert part.rule is not None  # noqa: S101 - the caller has seen it
    outcome, emulated = decide(part.rule, found), _emulated(part, run)
    if emulated:
        # Emulation only slows down: an upper bound below the limit stays below it on any hardware.
        if part.emulation == "upper-bound" and isinstance(part.rule, AtLeast) and outcome == "refuted":
            return _finding(part, "refuted", found=found, run=run, a_fortiori=True)
        return _open(part, "emulated", ", ".join(emulated), found=found, run=run)
    if part.baseline and (shut := _shut(part, run)):
        return _open(part, "unlike-itself", shut, found=found, run=run)
    if outcome == "supported":
        return _supported(part, run, found)
    if outcome == "refuted":
        return _refuted(part, run, found)
    why, detail = _undecided(part, found) if outcome == "undecided" else (outcome, "")
    return _open(part, why, detail, found=found, run=run)


def _undecided(part: Part, found: Figure) -> tuple[str, str]:
    assert part.rule is not None  # noqa: S101 - the caller has seen it
    reached = jointly(part.rule, found)
    return ("undecided-jointly", f"[{reached[0]:.4g}, {reached[1]:.4g}]") if reached else ("undecided", "")


def _supported(part: Part, run: Run, found: Figure) -> Finding:
    if run.mode == "fast" and not part.fast_decides:
        return _open(part, "not-by-few", found=found, run=run)
    fixed = part.fixed(fast=run.mode == "fast")
    if isinstance(part.rule, Always) and (few := occasions(part, run)) < fixed:
        return _open(part, "few-occasions", str(few), found=found, run=run)
    if 4 * found.n < 3 * fixed:
        return _open(part, "few-counted", f"{found.n}/{fixed}", found=found, run=run)
    return _finding(part, "supported", found=found, run=run)


def _refuted(part: Part, run: Run, found: Figure) -> Finding:
    if run.mode == "fast" and not part.fast_decides:
        return _open(part, "beyond-by-few", found=found, run=run)
    return _finding(part, "refuted", found=found, run=run)


def _absent(part: Part, run: Run) -> Finding | None:
    have = {m.target for m in used(part, run)}
    known = {target.name: target for target in run.targets}
    for name in part.targets:
        if name in have:
            continue
        if name in known and not known[name].available:
            return _open(part, "no-target", f"{name}: {known[name].reason}")
        said = [f.text for f in run.failures if (f.scenario, f.target) == (part.scenario, name)]
        if said:
            return _open(part, "failed", f"{name}: {said[0].partition(chr(10))[0]}")
        proven = run.environment.accelerators.get(name)
        if proven and proven.name != "kvm" and part.emulation == "nothing":
            return _open(part, "unshown", proven.name)
        return _open(part, "not-measured", name)
    return None


def _emulated(part: Part, run: Run) -> list[str]:
    if part.emulation == "indifferent":
        return []
    return [name for name in _accelerators(part, run) if name != "kvm"]


def _accelerators(part: Part, run: Run) -> tuple[str, ...]:
    samples = (sample for m in used(part, run) for sample in m.samples)
    return tuple(dict.fromkeys(s.accelerator for s in samples if s.accelerator))


def _excluded(part: Part, run: Run) -> int:
    if isinstance(part.rule, Always):
        return 0
    return sum(s.excluded is not None and not s.warmup for m in used(part, run) for s in m.samples)


def _shut(part: Part, run: Run) -> str:
    """Return the targets that this run can't compare with anything, since they are not like themselves."""
    rows = {(m.target, tuple(sorted(m.params.items()))) for m in used(part, run)}
    return ", ".join(
        gate.target
        for gate in gates(run)
        if (gate.scenario, gate.metric) == (part.scenario, part.metric)
        and (gate.target, tuple(sorted(gate.params.items()))) in rows
        and not gate.passed
    )


def _open(
    part: Part, why: str, detail: str = "", *, found: Figure | None = None, run: Run | None = None
) -> Finding:
    return _finding(part, "not evaluable here", found=found, run=run, why=why, detail=detail)


def _finding(
    part: Part, verdict: Verdict, *, found: Figure | None = None, run: Run | None = None, why: str = "",
    detail: str = "", a_fortiori: bool = False,
) -> Finding:  # fmt: skip
    empty = Finding(
        part=part.name, role=part.role, verdict=verdict, why=why, detail=detail, a_fortiori=a_fortiori,
        scenario=part.scenario, target=part.target, baseline=part.baseline, metric=part.metric,
        over=part.over, flips_at=boundary(part.rule) if part.rule else (),
        accelerators=_accelerators(part, run) if run else (),
        excluded=_excluded(part, run) if run else 0,
    )  # fmt: skip
    if found is None:
        return empty
    one = found.estimate
    return msgspec.structs.replace(
        empty, of=found.of, unit=found.unit, n=found.n, value=one.value, low=one.low, high=one.high,
        level=one.level, method=one.method,
    )  # fmt: skip
