"""The verdicts on what instances cost and do to each other, by runs that hold all that they ask for."""

import msgspec
import pytest

from bench.claims.definition import AtLeast, AtMost
from bench.claims.judge import verdicts
from bench.claims.load import claims
from bench.results import Measurement, Sample
from tests.fakes.plain_run import plain_run

MIB = 2**20
NAMES = ("resources", "memory-shared-kernel", "contention")
CONTROLS = {
    "resources": (
        "disk of one more container",
        "idle containers that fit into 256 MiB (of 64 tried, 24 in a first look)",
    ),
    "contention": (
        "p99 beside a process that sleeps",
        "recovered once the process that takes all CPUs is gone",
    ),
}
EMPTY = plain_run({("startup", "native", "ready"): (1.0, 1.0)})


def rows(part, factor, accelerator):
    """Return what `part` would see of figures `factor` times as far on the claim's side of its limit."""
    limit = part.rule.limit
    value = limit * factor if isinstance(part.rule, AtLeast) else limit / factor
    slope = part.rule.of == "slope"
    for n in (1, 2, 4) if slope else (0,):
        params = {**part.params, **({"n": n} if slope else {})}
        samples = tuple(
            Sample(
                value=(n or 1) * value * (1 + r / 1000), round=r, position=0, at=float(r),
                accelerator=accelerator if part.target.startswith("vm") else None,
            )
            for r in range(part.runs)
        )  # fmt: skip
        yield Measurement(
            scenario=part.scenario, target=part.target, metric=part.metric, unit="1", params=params,
            samples=samples,
        )  # fmt: skip


def seen(claim, accelerator="kvm", **wrong):
    """Return a run whose every figure is twice as good as its limit, but for `wrong` (part: factor)."""
    found = [row for part in claim.part for row in rows(part, wrong.get(part.name, 2.0), accelerator)]
    return msgspec.structs.replace(EMPTY, measurements=tuple(found))


def verdict(claim, *args, **wrong):
    (record,) = verdicts([claim], seen(claim, *args, **wrong))
    return record["verdict"], {part["part"]: part["verdict"] for part in record["parts"]}


@pytest.mark.parametrize("name", NAMES)
def test_where_all_is_on_the_claims_side_it_is_supported_and_each_part_flips_it(name):
    claim = claims()[name]
    assert {type(part.rule) for part in claim.part} == {AtLeast, AtMost}
    assert verdict(claim)[0] == "supported"
    assert {part.name for part in claim.part if part.role == "control"} == set(CONTROLS.get(name, ()))
    for part in claim.part:
        whole, parts = verdict(claim, **{part.name: 0.5})
        assert parts.pop(part.name) == "refuted"
        assert set(parts.values()) == {"supported"}
        assert whole == ("not evaluable here" if part.role == "control" else "partly"), part.name


@pytest.mark.parametrize("name", NAMES)
def test_an_emulated_guest_supports_nothing_but_the_bytes_of_its_disk(name):
    claim = claims()[name]
    for factor in (0.5, 2.0):
        guests = {part.name: factor for part in claim.part if part.target.startswith("vm")}
        parts = verdict(claim, "tcg", **guests)[1]
        decided = {name for name in guests if parts[name] != "not evaluable here"}
        assert decided == {"disk of one more guest with a whole operating system"} & guests.keys()
