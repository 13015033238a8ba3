"""registries.conf and daemon.json: which rule is whose, and what is wrong in a file."""

import json

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference
from runtime.registry import Access, registries
from runtime.registry.sources import mirrors, origin

CONF = """
[[registry]]
location = "a.example"
insecure = true
[[registry.mirror]]
location = "m.example:5000/a"

[[registry]]
prefix = "a.example/team"
location = "b.example/other"
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tags.example"
pull-from-mirror = "tag-only"
insecure = true

[[registry]]
prefix = "*.wild.example"

[[registry]]
prefix = "blocked.example"
blocked = true
"""
NO_OPTIONS = Access()
DIGEST = f"@sha256:{'0' * 64}"


@pytest.fixture
def conf(tmp_path, monkeypatch):
    file = tmp_path / "registries.conf"
    file.write_text(CONF)
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(file))
    monkeypatch.setattr(registries, "_DAEMON", tmp_path / "daemon.json")
    return file


def places(name, access=NO_OPTIONS):
    """Where an image is looked for; a ! marks what needs no good certificate."""
    reference = Reference.parse(name)
    endpoints = [source.endpoint for source in mirrors(reference, access)] + [origin(reference, access)]
    return [f"{one}{'' if one.verify else ' !'}" for one in endpoints]


def test_the_longest_prefix_counts(conf):
    assert places("a.example/x") == ["m.example:5000/a/x", "a.example/x !"]
    assert places("a.example/teams/x") == ["m.example:5000/a/teams/x", "a.example/teams/x !"]
    assert places("a.example/team/x") == ["tags.example/x !", "b.example/other/x"]
    assert places("a.example/team/x" + DIGEST) == ["digests.example/x", "b.example/other/x"]
    assert places("other.example/x") == ["other.example/x"]
    assert places("x.wild.example/y") == ["x.wild.example/y"]


def test_a_blocked_registry_is_not_asked(conf):
    with pytest.raises(RuntimeFault, match=r"blocked\.example/x is blocked by .*registries\.conf"):
        places("blocked.example/x")


def test_mirrors_of_the_command_line_come_first(conf):
    given = Access(mirrors=("https://c.example/p/", "http://d.example"))
    assert places("a.example/x", given) == [
        "c.example/p/x", "d.example/x !", "m.example:5000/a/x", "a.example/x !",
    ]  # fmt: skip
    assert places("e.example/x", Access(verify=False, mirrors=("c.example",))) == [
        "c.example/x !",
        "e.example/x !",
    ]


def test_dockers_mirrors_are_for_the_hub(conf, tmp_path):
    (tmp_path / "daemon.json").write_text(
        json.dumps({"registry-mirrors": ["https://hub.example/", "http://x:5"]})
    )
    assert places("busybox") == [
        "hub.example/library/busybox",
        "x:5/library/busybox !",
        "docker.io/library/busybox",
    ]
    assert places("a.example/x") == ["m.example:5000/a/x", "a.example/x !"]


def test_no_mirror_gets_certificates_or_accounts(conf, tmp_path):
    access = Access(certificates=tmp_path, mirrors=("c.example",))
    assert [one.access for one in mirrors(Reference.parse("a.example/x"), access)] == [Access(), Access()]


def test_later_files_and_the_users_win(tmp_path, monkeypatch):
    monkeypatch.delenv("CONTAINERS_REGISTRIES_CONF")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(registries, "_SYSTEM", tmp_path / "system")
    for place, location in [
        ("system/registries.conf", "system"),
        ("system/registries.conf.d/1.conf", "first"),
        ("user/containers/registries.conf.d/2.conf", "second"),
    ]:
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'[[registry]]\nprefix = "a.example"\nlocation = "{location}.example"\n')
    assert places("a.example/x") == ["second.example/x"]
    (tmp_path / "user/containers/registries.conf").write_text("")
    assert [file.name for file in registries.files()] == ["registries.conf", "1.conf", "2.conf"]
    assert registries.files()[0].is_relative_to(tmp_path / "user")


@pytest.mark.parametrize(
    "text",
    [
        "[[registry]]",
        "registry = 1",
        "registry = [1]",
        "[[registry]]\nlocation = 'no host'",
        "[[registry]]\nlocation = 'x.example/UPPER'",
        "[[registry]]\nlocation = 'x.example'\n[[registry.mirror]]\nlocation = ''",
        "[[registry]]\nlocation = 'x.y'\n[[registry.mirror]]\nlocation = 'm.y'\npull-from-mirror = 'x'",
        "not toml",
    ],
)
def test_what_is_wrong_in_a_file_is_named(conf, text):
    conf.write_text(text)
    with pytest.raises(RuntimeFault) as caught:
        places("a.example/x")
    assert caught.value.kind == "usage"
    assert str(conf) in str(caught.value)


@pytest.mark.parametrize("text", ["", "ftp://a.example", "a b", "http://", "name", "h:x", "a.example/UP"])
def test_what_is_no_mirror(conf, text):
    with pytest.raises(RuntimeFault, match="not a mirror"):
        places("a.example/x", Access(mirrors=(text,)))
