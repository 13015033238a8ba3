"""The definitions: whole, in both languages, about things that there are."""

import re

import pytest

from bench.claims import part_names
from bench.claims.definition import Always, AtLeast, Equivalent
from bench.claims.load import FILE, asked, claims, parse, select
from bench.claims.words import LANGUAGES, SAYINGS
from bench.errors import BenchFault
from bench.scenarios import density
from bench.scenarios.cpu import WORKS
from bench.scenarios.layers import LAYOUTS
from bench.scenarios.registry import METRICS, scenarios
from bench.sizes import Sizes
from bench.targets import installed
from bench.turns import turns
from tests.unit.bench import claims_page

PARTS = [
    pytest.param(part, id=f"{claim.id}: {part.name}")
    for claim in claims().values()
    for part in claim.part
    if part.scenario
]
CHINESE = re.compile("[\u4e00-\u9fff]")


def test_all_claims_of_the_course_are_there():
    assert len(claims()) == 26
    assert all(claim.has_experiment for claim in claims().values())


@pytest.mark.parametrize("claim", claims().values(), ids=claims())
def test_a_claim_is_worded_in_both_languages(claim):
    assert not CHINESE.search(claim.says.en + claim.flip.en)
    assert CHINESE.search(claim.flip.zh)
    assert CHINESE.search(claim.says.zh) or claim.says.zh == "build once, run anywhere"  # the course's words


def test_every_part_has_a_chinese_name_and_no_other_has():
    assert set(part_names.chinese()) == {part.name for claim in claims().values() for part in claim.part}
    assert [name for name, zh in part_names.chinese().items() if not CHINESE.search(zh)] == []
    assert [part_names.in_("fork", lang) for lang in LANGUAGES] == ["fork", "创建进程 (fork)"]
    assert part_names.in_("of another version", "zh") == "of another version"


def test_every_saying_is_in_both_languages():
    assert all(len(texts) == len(LANGUAGES) and all(texts) for texts in SAYINGS.values())
    assert all(en.count("{}") == zh.count("{}") for en, zh in SAYINGS.values())


@pytest.mark.parametrize("part", PARTS)
def test_an_experiment_names_a_real_scenario_metric_and_targets(part):
    scenario = scenarios()[part.scenario]
    assert part.metric in METRICS[part.scenario]
    assert set(part.targets) <= set(scenario.targets) & set(installed.names())
    if part.scenario == "cpu":
        assert part.params["work"] in {work.name for work in WORKS}
    if part.scenario == "layers":
        assert LAYOUTS[part.params["layout"]].target == part.target


@pytest.mark.parametrize("part", PARTS)
def test_a_guest_is_judged_by_its_accelerator_and_only_a_time_has_an_upper_bound(part):
    if part.emulation == "upper-bound":
        assert (part.scenario, part.metric) not in {("lifecycle", "disk")}
        assert part.scenario in {"startup", "lifecycle"}
        assert isinstance(part.rule, AtLeast)
    if part.emulation == "indifferent":
        # Of the host, of the wire, of a program: no processor changes them.
        assert part.metric in {"disk", "page_cache", "pulled", "same_output_elsewhere"}


@pytest.mark.parametrize("part", PARTS)
def test_the_runs_suffice_for_the_rule(part):
    if isinstance(part.rule, Always):
        assert part.runs >= 3 <= part.fast_runs  # once may be luck
    elif isinstance(part.rule, Equivalent):
        assert part.runs >= 12  # the A/A gate
        assert part.fast_runs >= 6  # the fewest with an interval at the level of two one-sided tests
    elif getattr(part.rule, "of", "slope") == "slope":
        assert part.runs >= 3 <= part.fast_runs  # rounds
    else:
        assert part.runs >= {"p95": 72, "median": 6, "ratio": 6}[part.rule.of]
        assert part.fast_runs >= 3


def test_an_unknown_claim_is_a_usage_error_that_lists_those_there_are():
    with pytest.raises(BenchFault, match="no claim 'startup'") as caught:
        select(["startup-vm", "startup"])
    assert caught.value.kind == "usage"
    assert all(name in caught.value.hint for name in claims())


def test_claims_are_selected_once_in_the_order_asked_for():
    assert [one.id for one in select(["layers-disk", "startup-vm", "layers-disk"])] == [
        "layers-disk",
        "startup-vm",
    ]
    assert [one.id for one in select([])] == list(claims())


def test_what_claims_share_is_measured_once_and_no_other_target_is():
    wanted = asked(select(["cpu-overhead", "cpu-hypervisor", "layers-disk", "layers-memory"]), fast=True)
    assert wanted == {
        "cpu": {"container": 6, "native": 6, "vm": 3},
        "layers": {
            "container": 3,
            "layers": 3,
            "native": 3,
            "flattened": 3,
            "vm": 3,
            "qcow2-full": 3,
            "qcow2-linked": 3,
        },
    }
    sizes = Sizes("fast", 1, asked=wanted)
    counted = [slot.target for slot in turns(scenarios()["layers"], sizes, ["container", "native"])]
    assert sorted(counted) == ["flattened"] * 3 + ["layers"] * 3
    assert sizes.wants("cpu", "vm")
    assert not sizes.wants("cpu", "vm-micro")
    assert sizes.wants("startup", "vm-micro")


WHOLE = """
[[claim]]
id = "one"
says = { en = "a", zh = "b" }
flip = { en = "a", zh = "b" }
[[claim.part]]
name = "p"
scenario = "startup"
target = "native"
metric = "ready"
rule = { name = "at-most", of = "median", limit = 1.0 }
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((', zh = "b" }\nflip', " }\nflip"), "zh"),
        (("at-most", "at-best"), "at-best"),
        (("limit = 1.0", "limit = 1.0, margin = 2.0"), "margin"),
        (('metric = "ready"\n', ""), "a scenario needs a target, a metric and a rule"),
        (("median", "ratio"), "a ratio needs one"),
        (('target = "native"', 'target = "native"\nbaseline = "vm"'), "a baseline is for ratios"),
        (("limit = 1.0 }", "limit = 1.0"), FILE),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(change, said):
    assert list(parse(WHOLE)) == ["one"]
    with pytest.raises(BenchFault) as caught:
        parse(WHOLE.replace(*change))
    assert said in str(caught.value)
    assert caught.value.kind == "corrupt"


def test_two_claims_of_one_id_are_refused():
    with pytest.raises(BenchFault, match="same id"):
        parse(WHOLE + WHOLE)


def test_a_changed_rule_changes_the_digest():
    before, after = (parse(text)["one"].digest for text in (WHOLE, WHOLE.replace("1.0", "1.1")))
    assert before != after


def test_the_reference_page_has_the_definitions():
    assert claims_page.written() == claims_page.table(), "run: python -m tests.unit.bench.claims_page"


def test_the_count_of_containers_says_how_many_were_tried():
    (name,) = [part.name for part in claims()["resources"].part if "containers that fit" in part.name]
    assert f"(of {density.MOST['default']} tried, {density.MOST['fast']} in a first look)" in name
