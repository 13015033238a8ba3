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
EXPLAINED = {"flags", "chained", "check"}


@pytest.fixture(scope="module")
def texts():
    return dockerfiles.originals()


def test_the_originals_are_read_as_buildkit_reads_them(texts):
    assert len(texts) > 60
    for text, oracle in zip(texts, dockerfiles.theirs(texts), strict=True):
        assert dockerfiles.disagreement(text, dockerfiles.ours(text), oracle) is None


def test_mutations_agree_with_buildkit(texts, rounds, figure):
    number = rounds(20_000, 2_000)
    mutants = dockerfiles.mutations(texts, seed=13, number=number)
    found = Counter()
    for text, oracle in zip(mutants, dockerfiles.theirs(mutants), strict=True):
        row = dockerfiles.disagreement(text, dockerfiles.ours(text), oracle)
        assert row is None or row in EXPLAINED, text
        found[row] += 1
    figure("T13", mutations=number, crashes=0, **{row: found[row] for row in sorted(EXPLAINED)})


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
