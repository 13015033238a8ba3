"""T13: thousands of broken Dockerfiles, read as BuildKit reads them, without a crash.

`docs/reference/dockerfile.md` lists the disagreements; one that is not in that table fails the test.
"""

from collections import Counter

import pytest

from runtime.builder import stages
from runtime.builder.dockerfile import DockerfileFault, parse
from tests.differential import package
from tests.torture import dockerfiles

pytestmark = [pytest.mark.torture, pytest.mark.skipif(bool(package.MISSING), reason=package.MISSING)]


@pytest.fixture(scope="module")
def texts():
    return dockerfiles.originals()


def test_the_originals_are_read_as_buildkit_reads_them(texts):
    assert len(texts) > 60
    assert list(dockerfiles.disagreements(texts)) == []


def test_mutations_agree_with_buildkit(texts, rounds, figure):
    number = rounds(20_000, 2_000)
    mutants = dockerfiles.mutations(texts, seed=13, number=number)
    found = Counter()
    for text, row in dockerfiles.disagreements(mutants):
        assert row, text
        found[row] += 1
    figure("T13", mutations=number, crashes=0, **{row: found[row] for row in dockerfiles.EXPLAINED})


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("FROM x\nCOPY --chown=\xe9 a b\n", "flags"),
        ("FROM x\nHEALTHCHECK CM\x85D a\n", "health"),
        ("# check=x\n# escape=`\nFROM x\nENV a `\nb\n", "check"),
        ("FROM x\nONBUILD ONBUILD RUN [1]\n", "chained"),
    ],
)
def test_each_row_of_the_table_still_is_one(text, row):
    assert list(dockerfiles.disagreements([text])) == [(text, row)]


def test_a_disagreement_of_another_kind_would_be_told(monkeypatch):
    """The parsers made to disagree about what no row is about."""
    right = dockerfiles.ours
    monkeypatch.setattr(dockerfiles, "ours", lambda text: {**right(text), "nodes": []})
    assert list(dockerfiles.disagreements(["FROM x\n"])) == [("FROM x\n", None)]


def test_instructions_of_mutations_are_read_or_refused_by_line(texts, rounds):
    mutants = dockerfiles.mutations(texts, seed=7, number=rounds(20_000, 1_000))
    verdicts = Counter(type(_fault(text)) for text in mutants)
    assert min(verdicts[type(None)], verdicts[DockerfileFault]) > 100


def _fault(text):
    try:
        stages.read(parse(text.encode()))
    except DockerfileFault as err:
        fault = err
    else:
        return None
    assert 0 < fault.at.first <= fault.at.last <= text.count("\n") + 1, text
    return fault


def test_bytes_that_are_no_text_do_not_crash(texts, rounds):
    """BuildKit's package takes text only, so here only our own verdict counts."""
    for text in dockerfiles.mutations(texts, seed=31, number=rounds(5_000, 500)):
        verdict = dockerfiles.ours(text.replace("E", "\udcff").replace("/", "\0"))
        assert verdict.get("nodes") or verdict["error"].startswith("Dockerfile:")
