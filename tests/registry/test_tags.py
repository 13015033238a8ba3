"""Listing tags: from a real docker-registry, and page by page from one that needs that."""

import json

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference
from runtime.registry import Access, limits, push
from runtime.registry.connect import connected
from runtime.registry.endpoint import Endpoint
from runtime.registry.listing import tags
from tests.registry.faulty import NAME, Faulty, serving
from tests.registry.server import skopeo


@pytest.fixture
def paged(made):
    with serving(Faulty(*made)) as faulty:
        yield faulty


def listed(host, path=NAME):
    with connected(Endpoint(host, path), Access(), ()) as session:
        return list(tags(session))


def page(names, link=None):
    headers = {"Link": link} if link else {}
    return lambda handler: handler.reply(200, json.dumps({"name": NAME, "tags": names}).encode(), headers)


def test_a_registry_lists_what_was_pushed(tare, registry, made):
    source, _ = made
    for tag in ("1", "2", "old"):
        push(source, "made:1", Reference.parse(f"{registry.host}/team/made:{tag}"))
    done = tare("registry", "tags", f"{registry.host}/team/made")
    assert done.stdout.split() == ["1", "2", "old"]
    found = json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{registry.host}/team/made"))
    assert sorted(found["Tags"]) == done.stdout.split()


def test_an_unknown_repository_and_an_image_are_told_apart(tare, registry):
    assert "name unknown" in tare("registry", "tags", f"{registry.host}/none", code=2).stderr
    assert "is an image, not a repository" in tare("registry", "tags", "x:1", code=2).stderr


def test_all_pages_are_read_whatever_else_the_link_says(paged):
    paged.wrongs["tags"] = [
        page(["a", "b"], f'<https://x.example/>; rel="help", </v2/{NAME}/tags/list?last=b>; rel="next"'),
        page(["c"], f"</v2/{NAME}/tags/list?last=c>; title=\"a, b\"; rel=next"),
        page(["d"], f'</v2/{NAME}/tags/list?last=d>; rel="prev"'),
    ]  # fmt: skip
    assert listed(paged.host) == ["a", "b", "c", "d"]
    assert [path.partition("?")[2] for _, path, _ in paged.asked if "tags" in path] == [
        f"n={limits.PAGE}", "last=b", "last=c",
    ]  # fmt: skip


def test_no_tags_are_none(paged):
    paged.wrongs["tags"] = [page(None)]
    assert listed(paged.host) == []


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("<http://elsewhere.example/v2/x/tags/list>; rel=next", "another host"),
        ("<file:///etc/passwd>; rel=next", "no web address"),
    ],
)
def test_more_tags_are_not_looked_for_elsewhere(paged, link, said):
    paged.wrongs["tags"] = [page(["a"], link)]
    with pytest.raises(RuntimeFault, match=said):
        listed(paged.host)


def test_a_list_that_goes_round_ends(paged):
    link = f"</v2/{NAME}/tags/list?n={limits.PAGE}>; rel=next"
    paged.wrongs["tags"] = [page(["a"], link)] * 9
    assert listed(paged.host) == ["a"]


def test_a_list_without_end_is_refused(paged, monkeypatch):
    monkeypatch.setattr(limits, "PAGES", 3)
    links = [f"</v2/{NAME}/tags/list?last={number}>; rel=next" for number in range(9)]
    paged.wrongs["tags"] = [page(["a"], link) for link in links]
    with pytest.raises(RuntimeFault, match="does not end"):
        listed(paged.host)


@pytest.mark.parametrize("names", ["x", 5, {"a": 1}, [["\x1b[2J"]], ["a" * 129], [7.5]])
def test_what_is_no_list_of_tags(paged, names):
    paged.wrongs["tags"] = [page(names)]
    with pytest.raises(RuntimeFault) as caught:
        listed(paged.host)
    assert caught.value.kind == "corrupt"
    assert str(caught.value).isprintable()
