"""Verdicts on whole claims, by the rounds and runs that count."""

import json

import msgspec
import pytest

from bench.claims.judge import judge, verdicts
from bench.claims.load import claims
from bench.claims.words import evidence
from bench.results import Measurement, Sample
from tests.fakes.plain_run import plain_run

MIB = 2**20
NOTHING = plain_run({("startup", name, "ready"): [1.0, 1.1] for name in ("container", "native")})


def slopes(per_instance, layout="layers", target="container"):
    """Return measurements of a total that grows with n, in three rounds that differ a little."""
    return tuple(
        Measurement(
            scenario="layers", target=target, metric="page_cache", unit="B",
            params={"n": n, "layout": layout},
            samples=tuple(
                Sample(value=50 * MIB + per_instance * n + 1000 * n * r, round=r, position=0, at=float(r),
                       accelerator="tcg" if target == "vm" else None)
                for r in range(3)
            ),
        )
        for n in (1, 2, 4)
    )  # fmt: skip


def layered(*measurements):
    return msgspec.structs.replace(NOTHING, measurements=measurements)


@pytest.mark.parametrize(
    ("shared", "copied", "verdict"),
    [
        (0, 60 * MIB, "supported"),
        (int(1.98 * MIB), 60 * MIB, "supported"),
        (int(2.02 * MIB), 60 * MIB, "refuted"),
        (60 * MIB, 60 * MIB, "refuted"),  # layers that are copied instead of shared
        (0, 29 * MIB, "not evaluable here"),  # the counterfactual shows no copies, so nothing is shown at all
    ],
)
def test_one_copy_in_memory_is_independent_of_n_and_the_control_is_not(shared, copied, verdict):
    disks = (*slopes(60 * MIB, "qcow2-full", target="vm"), *slopes(0, "qcow2-linked", target="vm"))
    run = layered(*slopes(shared), *slopes(copied, "flattened", target="native"), *disks)
    (record,) = verdicts([claims()["layers-memory"]], run)
    assert record["verdict"] == verdict
    assert record["parts"][0]["method"] == "Student t over rounds"


@pytest.mark.parametrize(("rounds", "why"), [(1, "few-runs"), (2, "few-runs"), (3, "")])
def test_the_points_of_a_round_are_no_runs_apart(rounds, why):
    kept = tuple(msgspec.structs.replace(m, samples=m.samples[:rounds]) for m in slopes(0))
    (part, *_) = claims()["layers-memory"].part
    found = judge(part, layered(*kept))  # three points a round, and all of them on a line
    assert (found.verdict, found.why) == ("not evaluable here" if why else "supported", why)
    assert (found.n, found.low is None) == (rounds, bool(why))


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [(1.0, "supported"), (0.99, "supported"), (0.96, "refuted"), (0.98, "not evaluable here")],
)
def test_a_loss_in_every_class_of_work(loss, verdict):
    works, measurements = computed(loss)
    (record,) = verdicts([claims()["cpu-overhead"]], layered(*measurements))
    assert record["verdict"] == verdict, record["parts"]
    # One class of work that loses makes it partly true.
    spoiled = tuple(
        msgspec.structs.replace(m, samples=tuple(msgspec.structs.replace(s, value=80.0 + i / 10)
                                                 for i, s in enumerate(m.samples)))
        if (m.target, m.params) == ("container", works[-1]) else m
        for m in measurements
    )  # fmt: skip
    (record,) = verdicts([claims()["cpu-overhead"]], layered(*spoiled))
    assert record["verdict"] == ("refuted" if verdict == "refuted" else "partly")


@pytest.mark.parametrize(
    ("loss", "verdict", "why"),
    [
        (1.0, "not evaluable here", "not-by-few"),
        (0.96, "not evaluable here", "beyond-by-few"),
        (0.98, "not evaluable here", "undecided"),
    ],
)
def test_a_first_look_decides_nothing_that_its_few_runs_hit_by_luck(loss, verdict, why):
    _, measurements = computed(loss)
    run = msgspec.structs.replace(layered(*measurements), mode="fast")
    (record,) = verdicts([claims()["cpu-overhead"]], run)
    assert (record["verdict"], {part["why"] for part in record["parts"]}) == (verdict, {why})


@pytest.mark.parametrize(
    ("left", "verdict", "why"), [(24, "supported", ""), (23, "not evaluable here", "few-counted")]
)
def test_what_was_set_aside_leaves_too_few_runs_to_support(left, verdict, why):
    works, measurements = computed(1.0)
    kept = tuple(
        msgspec.structs.replace(
            m,
            samples=tuple(
                msgspec.structs.replace(s, excluded="steal" if s.round >= kept_rounds else None)
                for s in m.samples
            ),
        )
        for m, kept_rounds in zip(measurements, (32, left) * len(works), strict=True)
    )
    (record,) = verdicts([claims()["cpu-overhead"]], layered(*kept))
    assert record["verdict"] == verdict
    assert {(part["why"], part["n"]) for part in record["parts"]} == {(why, left)}


@pytest.mark.parametrize("claim", ["cpu-overhead", "io-overhead"])
def test_a_first_look_supports_no_loss_within_a_margin_as_wide_as_the_noise(claim):
    for part in claims()[claim].part:
        found = []
        for target in (part.target, part.baseline):
            (m,) = plain_run({(part.scenario, target, "rate"): [1.0] * part.fast_runs}).measurements
            found.append(msgspec.structs.replace(m, params=part.params))
        judged = judge(part, msgspec.structs.replace(layered(*found), mode="fast"))
        assert (judged.verdict, judged.why) == ("not evaluable here", "not-by-few"), part.name


@pytest.mark.parametrize("target", ["native", "container"])
def test_a_first_look_refutes_nothing_that_its_few_runs_may_miss(target):
    (part,) = [p for p in claims()["contention"].part if not p.fast_decides and p.target == target]
    (m,) = plain_run({("contention", target, "slowdown"): [1.81, 1.68, 1.82]}).measurements
    run = msgspec.structs.replace(layered(msgspec.structs.replace(m, params=part.params)), mode="fast")
    found = judge(part, run)
    assert (found.verdict, found.why, found.n) == ("not evaluable here", "beyond-by-few", 3)


@pytest.mark.parametrize(
    ("rate", "why"),
    [(0.98, "undecided"), (0.9765, "undecided-jointly"), (0.97, "")],
)
def test_a_loss_is_beyond_the_limit_by_itself_before_it_is_for_all_parts_together(rate, why):
    _, measurements = computed(rate, alike=False)
    (record,) = verdicts([claims()["cpu-overhead"]], layered(*measurements))
    assert {part["why"] for part in record["parts"]} == {why}
    for part in record["parts"]:
        assert (part["verdict"] == "refuted") == (not why)
        beyond = part["high"] < part["flips_at"][0]
        assert beyond == (why != "undecided")
        if why == "undecided-jointly":
            low, high = json.loads(part["detail"])
            assert low < part["low"] < part["high"] < part["flips_at"][0] < high
            assert part["detail"] in evidence(part, "en")
            assert part["detail"] in evidence(part, "zh")


def computed(rate, *, alike=True):
    """Return the classes of work, and measurements in which the container does them at this relative rate.

    Its noise is that of its neighbour in time, or not alike.
    """
    works = [part.params for part in claims()["cpu-overhead"].part]
    noise = (0.0, 0.004, -0.004, 0.002, -0.002, 0.003, -0.003, 0.001)
    measurements = tuple(
        Measurement(
            scenario="cpu", target=target, metric="rate", unit="1/s", params=work,
            samples=tuple(Sample(value=100 * factor * (1 + e), round=i, position=0, at=float(i))
                          for i, e in enumerate(noise[::turn] * 4)),
        )
        for work in works
        for target, factor, turn in (("native", 1.0, 1), ("container", rate, 1 if alike else -1))
    )  # fmt: skip
    return works, measurements


@pytest.mark.parametrize(
    ("hiccups", "verdict"), [(0, "supported"), (1, "supported"), (3, "not evaluable here")]
)
@pytest.mark.parametrize("fast", [True, False])
def test_one_hiccup_does_not_undo_the_control_of_contention(hiccups, verdict, fast):
    control = next(p for p in claims()["contention"].part if p.name == "p99 beside a process that sleeps")
    runs = control.fast_runs if fast else control.runs
    looks = [*[1 + i / 100 for i in range(runs - hiccups)], *[5.0] * hiccups]
    measured = Measurement(
        scenario="contention", target="native", metric="slowdown", unit="1",
        params={"aggressor": "idle", "limits": "none"},
        samples=tuple(Sample(value=look, round=i, position=0, at=float(i)) for i, look in enumerate(looks)),
    )  # fmt: skip
    assert judge(control, layered(measured)).verdict == verdict
