"""Retention: which images go (as values), and that they go from a real docker-registry."""

from datetime import UTC, datetime, timedelta

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference, from_tree
from runtime.image.digest import Digest
from runtime.image.manifest import INDEX, MANIFEST, Descriptor, Index, Platform, encode
from runtime.registry import push
from runtime.registry.retention import Held, Policy, age, orphans

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def held(day, *tags, below=()):
    """An image of that day of January; None for one that does not say."""
    created = None if day is None else datetime(2026, 1, day, tzinfo=UTC)
    return Held(Digest.of(tags[0].encode()), tags, created, frozenset(one.digest for one in below))


def gone(policy, *images):
    return [one.tags[0] for one in policy.doomed(images, NOW)]


OLD, MIDDLE, NEW = held(1, "old"), held(15, "middle"), held(30, "new")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(keep_last=1), ["middle", "old"]),
        (Policy(keep_last=3), []),
        (Policy(older_than=timedelta(days=16)), ["middle", "old"]),
        (Policy(older_than=timedelta(days=17)), ["old"]),
        (Policy(keep_last=2, older_than=timedelta(days=10)), ["old"]),
        (Policy(keep_last=1, older_than=timedelta(days=20)), ["old"]),
        (Policy(keep_last=1, match="o*"), []),
        (Policy(older_than=timedelta(days=1), match="o*"), ["old"]),
    ],
)
def test_what_is_old_and_not_among_the_newest_goes(policy, expected):
    assert gone(policy, MIDDLE, NEW, OLD) == expected


def test_what_says_no_time_stays_and_does_not_count():
    assert gone(Policy(keep_last=1), held(None, "undated"), NEW, OLD) == ["old"]


def test_an_image_is_covered_only_by_all_of_its_tags():
    shared = held(1, "nightly-1", "v1")
    assert gone(Policy(older_than=timedelta(days=1), match="nightly-*"), shared, held(2, "nightly-2")) == [
        "nightly-2"
    ]


def test_what_an_index_that_stays_names_stays():
    index = held(30, "all", below=[OLD])
    assert gone(Policy(keep_last=1), index, OLD, MIDDLE) == ["middle"]
    assert gone(Policy(older_than=timedelta(0)), index, OLD) == ["all", "old"]


def test_orphans_are_what_only_those_that_go_name():
    a, b = held(1, "untagged-a"), held(1, "untagged-b")
    going, staying = held(2, "going", below=[a, b, OLD]), held(30, "staying", below=[b])
    assert orphans([going, staying, OLD], [going]) == [a.digest]


@pytest.mark.parametrize(
    ("text", "hours"), [("36h", 36), ("2d", 48), ("1w", 168), ("1d12h", 36), ("90m", 1.5), ("0s", 0)]
)
def test_ages(text, hours):
    assert age(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "5", "d", "-1d", "1 d", "1y", "1d-", "9" * 12 + "w", "999999999w"])
def test_what_is_no_age(text):
    with pytest.raises(RuntimeFault, match="not an age"):
        age(text)


@pytest.fixture
def repository(registry, made, tmp_path, monkeypatch):
    """Images of four years, the oldest of them also in an index, and one that says no time."""
    source, _ = made
    for year in (0, 2020, 2021, 2022, 2023):
        epoch = int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) if year else 0
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(epoch))
        tree = tmp_path / str(year)
        tree.mkdir()
        (tree / "year").write_text(str(year))
        image = from_tree(source, tree, f"year:{year}")
        push(source, f"year:{year}", Reference.parse(f"{registry.host}/team/year:{year}"))
        if year == 2021:
            push_index(source, image, f"{registry.host}/team/year:index")
    push(source, "year:2023", Reference.parse(f"{registry.host}/team/year:latest"))
    return f"{registry.host}/team/year"


def push_index(source, image, name):
    entry = Descriptor(
        media_type=MANIFEST, digest=image.digest, size=source.blobs.path(image.digest).stat().st_size,
        platform=Platform(os="linux", architecture="amd64"),
    )  # fmt: skip
    content = encode(Index(schema_version=2, media_type=INDEX, manifests=(entry,)))
    with source.writing():
        digest = source.blobs.write(content, INDEX).digest
        source.tags.set(Reference.parse(name), Descriptor(media_type=INDEX, digest=digest, size=len(content)))
    push(source, name, Reference.parse(name))


def rows(done):
    return [line.split()[3:] for line in done.stdout.splitlines()[1:]]


def test_a_dry_run_says_what_a_run_then_does(tare, repository):
    words = ("registry", "prune", "--keep-last", "2", "--older-than", "30d", repository)
    dry = tare(*words, "--dry-run")
    assert sorted(rows(dry)) == [["2020"], ["2021"], ["index"]]
    assert "3 images would go; 3 stay" in dry.stderr
    assert "nobody knows its age: 0" in dry.stderr
    assert len(tare("registry", "tags", repository).stdout.split()) == 7
    done = tare(*words)
    assert done.stdout == dry.stdout
    assert sorted(tare("registry", "tags", repository).stdout.split()) == ["0", "2022", "2023", "latest"]
    tare("image", "pull", "-q", f"{repository}:latest")
    assert tare(*words).stdout == ""


def test_an_index_that_stays_keeps_its_images(tare, repository):
    done = tare("registry", "prune", "--older-than", "30d", "--match", "20*", repository)
    assert sorted(rows(done)) == [["2020"], ["2022"]]
    assert sorted(tare("registry", "tags", repository).stdout.split()) == [
        "0", "2021", "2023", "index", "latest",
    ]  # fmt: skip


def test_a_policy_is_needed(tare, repository):
    assert "--keep-last" in tare("registry", "prune", repository, code=2).stderr
