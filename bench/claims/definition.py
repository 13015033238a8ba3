"""What a claim is made of. The definitions themselves are data: `claims.toml`."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from bench.results.model import Parameter  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator

Text = Annotated[str, Meta(min_length=1)]
Runs = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
Of = Literal["median", "p95", "slope", "ratio"]


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything in a definition."""


class Words(Data, frozen=True, kw_only=True):
    """A sentence in both languages."""

    en: Text
    zh: Text

    def in_(self, lang: str) -> str:
        """Return it in "en" or "zh"."""
        return self.zh if lang == "zh" else self.en


Room = Annotated[float, Meta(ge=0)]
"""The share of its own width by which an interval has to clear a limit, or it decides nothing.

Its end wanders more than that from one run to the next.
"""
ROOM = 0.1


class AtMost(Data, frozen=True, kw_only=True, tag_field="name", tag="at-most"):
    """Holds when the whole interval is at or below `limit`; refuted when the whole interval is above it.

    `of` is the figure: the median or p95 of the runs, the slope over `n` (per instance), or the ratio of the
    medians of target and baseline. A preliminary evaluation takes `fast_of`, if that is given.
    """

    of: Of
    limit: float
    fast_of: Of | None = None
    room: Room = ROOM


class AtLeast(Data, frozen=True, kw_only=True, tag_field="name", tag="at-least"):
    """Holds when the whole interval is at or above `limit`; refuted when the whole interval is below it."""

    of: Of
    limit: float
    fast_of: Of | None = None
    room: Room = ROOM


class Equivalent(Data, frozen=True, kw_only=True, tag_field="name", tag="equivalent"):
    """Target and baseline, a rate each, are the same within `margin` (0.02: 2 %): two one-sided tests.

    Refuted when the whole interval of the ratio is below 1 / (1 + margin), a loss. A gain beyond the margin
    is neither: nothing computes faster for being in a box, so the comparison is then in doubt.
    """

    margin: Positive
    room: Room = ROOM


class Independent(Data, frozen=True, kw_only=True, tag_field="name", tag="independent"):
    """The slope over `n` is within `margin` (the metric's unit per instance) of 0; refuted when beyond."""

    margin: Positive


class Always(Data, frozen=True, kw_only=True, tag_field="name", tag="always"):
    """A fact: every sample is `value` (1: yes). Refuted by a single one that is not, disturbed or not.

    Nothing is estimated, so there is no interval: `runs` are the fewest occasions on which it has to hold.
    """

    value: float = 1.0


Rule = AtMost | AtLeast | Equivalent | Independent | Always


class Part(Data, frozen=True, kw_only=True):
    """One decision: a figure of one experiment and the rule for it. Without a scenario, it waits for one.

    A `control` is no part of the claim: it shows that the experiment can see what the claim denies, and
    nothing is decided unless it holds. An `optional` part counts only where its target can run. `over` is the
    parameter of a slope. `baseline_params` are those of the baseline, where they are others. `emulation`
    tells what samples without hardware virtualization are good for: nothing; or, where emulation only makes
    the figure larger, as its upper bound; or all, where it is indifferent: bytes of a disk's file or at a
    socket, or what a program prints, which no processor changes. `fast_shown` tells whether a preliminary
    evaluation shows one run of what emulation can't decide, or none; `fast_decides`, whether its few runs
    may support or refute this part: where the host's noise is as wide as the margin, an interval of few runs
    fits into it, or past it, on one day and not on the next.
    """

    name: Text
    role: Literal["claim", "control"] = "claim"
    scenario: str = ""
    target: str = ""
    baseline: str = ""
    metric: str = ""
    params: dict[str, Parameter] = field(default_factory=dict)
    baseline_params: dict[str, Parameter] | None = None
    rule: Rule | None = None
    over: Literal["n", "size", "layers"] = "n"
    emulation: Literal["nothing", "upper-bound", "indifferent"] = "nothing"
    runs: Runs = 1
    fast_runs: Runs = 1
    fast_shown: bool = True
    fast_decides: bool = True
    optional: bool = False

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that have to be measured."""
        return tuple(name for name in (self.target, self.baseline) if name)

    def fixed(self, *, fast: bool) -> int:
        """Return the fewest runs that decide it, in a preliminary evaluation or in the full one."""
        return self.fast_runs if fast else self.runs


class Claim(Data, frozen=True, kw_only=True):
    """A hypothesis in words, what decides it, and what would flip the verdict."""

    id: Text
    says: Words
    flip: Words
    part: tuple[Part, ...] = ()

    @property
    def has_experiment(self) -> bool:
        """Whether Tare can measure anything for it."""
        return any(part.scenario for part in self.part)

    @property
    def digest(self) -> str:
        """SHA-256 of the definition: it shows whether a rule was changed after a verdict."""
        return sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


def problems(claim: Claim) -> Iterator[str]:
    """Yield what types can't express: a part is whole or empty, and has a baseline exactly for a ratio."""
    for part in claim.part:
        where = f"{claim.id}, part {part.name!r}"
        if bool(part.scenario) != bool(part.target and part.metric and part.rule):
            yield f"{where}: a scenario needs a target, a metric and a rule, and they a scenario"
            continue
        if isinstance(part.rule, AtMost | AtLeast):
            is_ratio = "ratio" in {part.rule.of, part.rule.fast_of}
        else:
            is_ratio = isinstance(part.rule, Equivalent)
        if is_ratio != bool(part.baseline):
            yield f"{where}: a baseline is for ratios, and a ratio needs one"
    names = [part.name for part in claim.part]
    if len(set(names)) < len(names):
        yield f"{claim.id}: two parts have the same name"
