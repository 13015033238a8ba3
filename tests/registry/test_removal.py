"""`tare registry rm` with real docker-registries: one that removes, and one that does not."""

import json
import urllib.request

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference, Store, from_tree
from runtime.registry import Access, Account, limits, pull, push
from runtime.registry.removal import remove
from tests.registry import password
from tests.registry.faulty import NAME, Faulty, serving


def pushed(made, host, *tags):
    source, image = made
    for tag in tags:
        push(source, "made:1", Reference.parse(f"{host}/team/made:{tag}"))
    return f"{host}/team/made", image.digest


def listed(tare, repository):
    return tare("registry", "tags", repository).stdout.split()


def put(url, document):
    headers = {"Content-Type": document["mediaType"]}
    request = urllib.request.Request(url, json.dumps(document).encode(), headers, method="PUT")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()


def other_image(made, tmp_path):
    source, _ = made
    (tmp_path / "more").mkdir()
    (tmp_path / "more/file").write_text("other")
    return from_tree(source, tmp_path / "more", "other:1")


def test_a_tag_goes_with_its_image_and_the_others_stay(tare, registry, made, tmp_path):
    repository, digest = pushed(made, registry.host, "1")
    other_image(made, tmp_path)
    tare("image", "push", "-q", "other:1", f"{repository}:2")
    done = tare("registry", "rm", f"{repository}:1")
    assert done.stdout.strip() == digest
    assert done.stderr == f"{repository}:1 removed\n"
    assert listed(tare, repository) == ["2"]
    with pytest.raises(RuntimeFault, match="manifest unknown"):
        pull(Store(tmp_path / "x"), Reference.parse(f"{repository}@{digest}"))


def test_other_tags_of_the_same_image_are_not_lost_by_surprise(tare, registry, made):
    repository, _ = pushed(made, registry.host, "1", "latest")
    done = tare("registry", "rm", f"{repository}:1", code=2)
    assert "can't remove the tag 1 alone, and its image is also latest" in done.stderr
    assert listed(tare, repository) == ["1", "latest"]
    done = tare("registry", "rm", "--force", f"{repository}:1")
    assert done.stderr == f"{repository}:1 removed\n{repository}:latest removed\n"
    assert listed(tare, repository) == []


def test_by_digest(tare, registry, made):
    repository, digest = pushed(made, registry.host, "1", "2")
    tare("registry", "rm", f"{repository}@{digest}")
    assert listed(tare, repository) == []
    assert "manifest unknown" in tare("registry", "rm", f"{repository}@{digest}", code=2).stderr


def test_a_registry_that_removes_nothing_is_said_to_and_how_to_mend_it(tare, start_registry, made):
    repository, _ = pushed(made, start_registry(delete=False).host, "1")
    done = tare("registry", "rm", f"{repository}:1", code=1)
    assert "lets nobody remove anything" in done.stderr
    assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in done.stderr
    assert listed(tare, repository) == ["1"]


def test_an_artifact_that_is_no_image_can_be_removed_too(tare, registry, made):
    repository, _ = pushed(made, registry.host, "1")
    config = made[1].manifest.config
    artifact = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/x.chart", "digest": config.digest, "size": config.size},
        "layers": [],
    }  # fmt: skip
    put(registry.url("team/made/manifests/chart"), artifact)
    assert "no container image" in tare("image", "pull", f"{repository}:chart", code=1).stderr
    tare("registry", "rm", f"{repository}:chart")
    assert listed(tare, repository) == ["1"]


def test_an_account_is_shown_where_one_is_needed(tare, start_registry, made, tmp_path):
    closed = password.closed(start_registry, tmp_path)
    reference = Reference.parse(f"{closed.host}/team/made:1")
    push(made[0], "made:1", reference, access=Access(account=Account("ann", "secret")))
    assert "401" in tare("registry", "rm", str(reference), code=1).stderr
    tare("registry", "rm", "--creds", "ann:secret", str(reference))


def test_nothing_is_removed_by_guess(tare):
    assert "has no tag" in tare("registry", "rm", "localhost/x", code=2).stderr


def test_a_registry_that_can_removes_the_tag_alone(made):
    """As docker-registry 3 and many others do; 2, which is Debian's, can't."""
    with serving(Faulty(*made)) as registry:
        done = remove(Reference.parse(f"{registry.host}/{NAME}:1"))
    assert (done.tags, done.whole) == (("1",), False)
    assert [path for method, path, _ in registry.asked if method == "DELETE"] == [f"/v2/{NAME}/manifests/1"]


def test_an_answer_that_is_lost_does_not_cost_the_image(made, monkeypatch):
    monkeypatch.setattr(limits, "FIRST_PAUSE", 0.01)
    with serving(Faulty(*made)) as registry:

        def lose(handler):  # it is done, but nobody hears of it
            registry.wrongs["manifest"] = [lambda handler: handler.reply(404)] * 9
            handler.hang_up()

        registry.wrongs["delete"] = [lose, lambda handler: handler.reply(404)]
        done = remove(Reference.parse(f"{registry.host}/{NAME}:1"))
    assert (done.tags, done.whole) == (("1",), False)
    assert not [path for method, path, _ in registry.asked if method == "DELETE" and "sha256" in path]
