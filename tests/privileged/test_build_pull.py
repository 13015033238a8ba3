"""Base images from a real registry on this machine's loopback."""

import urllib.request

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.commit import Change, derive
from runtime.image.manifest import MANIFEST, encode
from runtime.image.store import Store
from tests.privileged.building import Lab
from tests.registry.server import launch

pytestmark = pytest.mark.privileged


@pytest.fixture
def registry(tmp_path):
    (tmp_path / "registry").mkdir()
    made, process = launch(tmp_path / "registry")
    yield made.host
    process.kill()
    process.wait()


@pytest.fixture
def lab(tmp_path):
    return Lab.at(tmp_path / "tare", tmp_path)


def send(method, url, data=b"", kind="application/octet-stream"):
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return answer.headers.get("Location", "")


def publish(host, store, image, name):
    """Put an image into the registry (distribution-spec, "Pushing blobs", "Pushing manifests")."""
    for descriptor in (image.manifest.config, *image.layers):
        place = send("POST", f"http://{host}/v2/{name}/blobs/uploads/")
        content = store.blobs.path(descriptor.digest).read_bytes()
        send("PUT", f"{place}{'&' if '?' in place else '?'}digest={descriptor.digest}", content)
    send("PUT", f"http://{host}/v2/{name}/manifests/1", encode(image.manifest), MANIFEST)


@pytest.fixture
def published(registry, tmp_path):
    """Return a function that publishes base/box:1 with a label of that value; and its name."""
    store = Store(tmp_path / "source")
    base = bootstrap(store, "busybox")
    name = f"{registry}/base/box:1"

    def put(value):
        image = derive(store, base, {}, "box:1", config=Change(labels={"v": value}))
        publish(registry, store, image, "base/box")

    put("old")
    return name, put


def test_a_missing_base_is_pulled_and_a_known_one_on_request(lab, published):
    name, put = published
    text = f"FROM {name}\nRUN echo x > /x\nCOPY --from={name} /bin/busybox /again\n"
    done = lab.build(text, "-t", "made")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"pulling {name}") == 1
    assert lab.store.resolve("made").config.labels["v"] == "old"
    put("new")
    done = lab.build(text, "-t", "made")
    assert "pulling" not in done.stderr
    assert lab.store.resolve("made").config.labels["v"] == "old"
    assert lab.built(text, "--pull").config.labels["v"] == "new"


def test_what_nobody_has_is_named(lab, registry):
    done = lab.build(f"FROM {registry}/base/none:1\n")
    assert done.returncode == 2
    assert f"no image named {registry}/base/none:1, and " in done.stderr
