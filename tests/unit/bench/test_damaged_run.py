"""A result file from elsewhere, changed at random: it is compared and shown, or refused; nothing else."""

import copy
import json
import random
from xml.etree import ElementTree as Xml

import pytest

from bench.compare.formats import github, junit, markdown, plain, structured
from bench.compare.report import compare_runs
from bench.compare.threshold import judge, parse
from bench.errors import BenchFault
from bench.exchange import junit as run_as_junit
from bench.exchange import markdown as run_as_markdown
from bench.results.reader import decode, encode
from bench.stats.summary import fits, ratios
from tests.fakes.plain_run import draws, plain_run

FIGURES = {("startup", "native", m): draws(1, 0.01)[:14] for m in ("ready", "init")}
GATE = {
    "kind": "a/a", "scenario": "startup", "target": "native", "metric": "ready", "params": {}, "n": 14,
    "ratio": 1.0, "low": 0.9, "high": 1.1, "p": 1.0, "passed": True, "floor": 0.1, "detectable": 0.2,
}  # fmt: skip
CLAIM = {"kind": "claim", "claim": "x", "verdict": "refuted", "parts": [], "data": "", "repeat": ["tare"]}
ODD = (
    None, 0, -1, 1e308, -1e308, 5e-324, "", "\x00", "a\n::error::x", "|`<b>", True, [], {}, "x" * 3000,
    2**70, "native", "s", "B", "vm",
)  # fmt: skip
HOSTILE = "a\n::error::forged\r\x1b[2J%0A|`b`"


def places(value, path=()):
    """Return the path of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in places(one, (*path, key)))]


def changed(document, luck):
    """Return the document with one to three places changed, doubled or taken away."""
    made = copy.deepcopy(document)
    for _ in range(luck.randint(1, 3)):
        *outer, last = luck.choice([path for path in places(made) if path and "samples" not in path[:-3]])
        held = made
        for key in outer:
            held = held[key]
        kind = luck.random()
        if kind < 0.2:
            del held[last]
        elif kind < 0.3 and isinstance(held, list):
            held.append(copy.deepcopy(held[last]))
        else:
            held[last] = luck.choice(ODD)
    return made


@pytest.fixture(scope="module")
def document():
    return json.loads(encode(plain_run(FIGURES))) | {"verdicts": [GATE, CLAIM]}


def test_a_file_that_was_changed_is_used_or_refused(document):
    base, outcomes = plain_run(FIGURES), {True: 0, False: 0}
    for seed in range(500):
        luck = random.Random(seed)
        data = json.dumps(changed(document, luck)).encode()
        if luck.random() < 0.05:
            data = data[: luck.randrange(len(data))]
        try:
            show(base, decode(data, origin="file"))
            outcomes[True] += 1
        except BenchFault:
            outcomes[False] += 1
    assert min(outcomes.values()) > 20


def show(base, run):
    """Do all that is done with a file that was read."""
    assert ratios(run) is not None
    assert fits(run) is not None
    assert run_as_markdown.export(run)
    assert run_as_junit.export(run)
    report = compare_runs(base, run)
    for form in (github, junit, markdown, plain, structured):
        assert form.render(report, judge(report, []))
    judge(report, [parse("ready:5")])


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ({key: value for key, value in GATE.items() if key != "floor"}, "floor"),
        ({**GATE, "params": "x"}, "params"),
        ({**GATE, "passed": "no"}, "passed"),
        ({**CLAIM, "repeat": 5}, "repeat"),
        ({}, "kind"),
    ],
)
def test_a_damaged_verdict_is_named(document, verdict, said):
    data = json.dumps(document | {"verdicts": [GATE, verdict]}).encode()
    with pytest.raises(BenchFault, match=rf"file: verdict 1 breaks the schema: .*{said}") as caught:
        decode(data, origin="file")
    assert caught.value.kind == "corrupt"


@pytest.fixture(scope="module")
def hostile(document):
    """A comparison whose names are chosen to be taken for something else; it finds a regression."""
    slow = copy.deepcopy(document | {"verdicts": []})
    slow["targets"][0]["name"] = HOSTILE
    for measurement in slow["measurements"]:
        measurement |= {"scenario": HOSTILE, "target": HOSTILE}
    base = decode(json.dumps(slow).encode(), origin="base")
    for measurement in slow["measurements"]:
        for sample in measurement["samples"]:
            sample["value"] *= 2
    slow |= {"warnings": [{"code": "disturbed", "text": HOSTILE}], "id": HOSTILE}
    report = compare_runs(base, decode(json.dumps(slow).encode(), origin="new"))
    findings = judge(report, [])
    assert [one.outcome for one in findings] == ["regressed", "regressed"]
    return report, findings


def test_names_forge_no_line_on_a_terminal_or_in_a_log(hostile):
    text = plain.render(*hostile)
    assert "\x1b" not in text
    assert "\r" not in text
    assert not any(line.startswith("::") for line in text.splitlines())


def test_names_forge_no_workflow_command(hostile):
    lines = github.render(*hostile).split("\n")
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::error", "::warning", "::notice"]
    assert not any("\r" in line for line in lines)


def test_names_break_neither_xml_nor_a_table(hostile):
    suite = Xml.fromstring(junit.render(*hostile)).find("testsuite")
    assert suite.get("failures") == "2"
    lines = markdown.render(*hostile).split("\n")
    assert lines[0].startswith("### Tare: `a ::error::forged")
    assert lines[0].count("`") == 4
    rows = [line for line in lines if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {11}
