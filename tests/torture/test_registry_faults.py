"""T3 and T4: what a registry sends that it should not, and what goes wrong on the way.

Of T3 skopeo 1.9 lets a wrong size pass; of T4 it survives two of six.
"""

from __future__ import annotations

import json
import os
import time

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Digest, Reference, Store, from_tree
from runtime.image.verify import verify
from runtime.registry import Access, Account, limits, pull, push
from runtime.registry import upload as uploads
from tests.registry.faulty import NAME, Faulty, changed, serving

pytestmark = [pytest.mark.torture, pytest.mark.timeout(120)]
SIZE = 3 << 20


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """Give every test a home without accounts, and short pauses."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", os.devnull)
    monkeypatch.setattr(limits, "FIRST_PAUSE", 0.01)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    place = tmp_path_factory.mktemp("source")
    (place / "tree").mkdir()
    (place / "tree/big").write_bytes(os.urandom(SIZE))
    store = Store(place / "store")
    return store, from_tree(store, place / "tree", "made:1")


@pytest.fixture
def registry(source):
    with serving(Faulty(*source)) as faulty:
        yield faulty


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def told(request, figure):
    """Note that a case of a row went as it should: `told("T4", survived=1)`, at a test's end."""
    return lambda row, **verdict: figure(row, what=request.node.name.removeprefix("test_"), **verdict)


def reference(registry, end=":1"):
    return Reference.parse(f"{registry.host}/{NAME}{end}")


def layer(registry):
    return json.loads(registry.manifest)["layers"][0]


# T4: each row is a kind of request, and what happens to the first ones of it.


def busy(status, **headers):
    told = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda handler: handler.reply(status, b"", told)


def dropped(handler):
    content = handler.blob()
    handler.reply(200, content[: len(content) // 2], claim=len(content))
    handler.hang_up()


def refuse_range(handler):
    handler.reply(200, handler.blob())


def dripping(handler):
    content = handler.blob()
    handler.reply(200, claim=len(content))
    for start in range(0, len(content), len(content) // 20 + 1):
        handler.wfile.write(content[start : start + len(content) // 20 + 1])
        time.sleep(0.03)


def cut_patch(handler):
    """Take a half of what comes, keep it, and hang up."""
    half = int(handler.headers["Content-Length"]) // 2
    handler.faulty.uploads[handler.path] += handler.rfile.read(half)
    handler.hang_up()


@pytest.mark.parametrize(
    ("kind", "wrongs"),
    [
        ("ping", [busy(503, Retry_After="0")]),
        ("manifest", [busy(503, Retry_After="0"), busy(429, Retry_After="0"), busy(502)]),
        ("blob", [busy(503, Retry_After="0"), busy(429, Retry_After="1"), busy(500)]),
        ("blob", [dropped]),
        ("blob", [dropped, dropped, refuse_range]),
        ("blob", [dripping, dripping]),
    ],
    ids=["ping 503", "manifest 503 429 502", "blob 503 429 500", "dropped", "no ranges", "slow drip"],
)
def test_a_pull_survives(registry, store, kind, wrongs, told):
    registry.wrongs[kind] = list(wrongs)
    pull(store, reference(registry))
    assert store.resolve(reference(registry)).digest == Digest.of(registry.manifest)
    assert verify(store) == []
    assert registry.wrongs[kind] == []
    told("T4", survived=1)


def test_a_dropped_blob_goes_on_where_it_ended(registry, store, told):
    registry.wrongs["blob"] = [dropped, dropped]
    pull(store, reference(registry))
    resumed = [text for text in registry.ranges() if text]
    assert len(resumed) == 2
    assert all(int(text.removeprefix("bytes=").rstrip("-")) > 0 for text in resumed)
    told("T4", survived=1)


def test_a_retry_waits_as_long_as_it_is_told(registry, store, told):
    registry.wrongs["manifest"] = [busy(429, Retry_After="1")]
    begin = time.monotonic()
    pull(store, reference(registry))
    assert time.monotonic() - begin >= 1
    told("T4", survived=1)


def test_a_registry_that_never_recovers_is_given_up(registry, store, told):
    registry.wrongs["manifest"] = [busy(503, Retry_After="0")] * 50
    with pytest.raises(RuntimeFault, match="503"):
        pull(store, reference(registry))
    assert len(registry.wrongs["manifest"]) == 50 - limits.ATTEMPTS
    assert list(store.blobs) == []
    told("T4", given_up=1)


def test_a_push_cut_in_a_patch_goes_on_where_the_registry_has_it(registry, source, monkeypatch, told):
    monkeypatch.setattr(limits, "UPLOAD_CHUNK", 1 << 20)
    monkeypatch.setattr(uploads.Upload.run, "__defaults__", (1 << 20,))
    sent, image = source
    wanted = {
        str(one.digest): sent.blobs.read(one.digest)
        for one in (image.manifest.config, *image.manifest.layers)
    }
    registry.blobs.clear()
    registry.wrongs["patch"] = [cut_patch]
    push(sent, "made:1", reference(registry))
    assert registry.blobs == wanted
    assert registry.manifest == sent.blobs.read(image.digest)
    assert registry.wrongs["patch"] == []
    told("T4", survived=1)


# T3: each row changes what is served.


def flipped(registry):
    digest = layer(registry)["digest"]
    content = bytearray(registry.blobs[digest])
    content[1000] ^= 1
    registry.blobs[digest] = bytes(content)


def truncated(registry):
    digest = layer(registry)["digest"]
    registry.blobs[digest] = registry.blobs[digest][:-1]


def extended(registry):
    digest = layer(registry)["digest"]
    registry.blobs[digest] += b"x"


def wrong_size(registry):
    changed(registry, layers=[{**layer(registry), "size": layer(registry)["size"] - 1}])


def negative_size(registry):
    changed(registry, layers=[{**layer(registry), "size": -1}])


def others_blob(registry):
    config = json.loads(registry.manifest)["config"]["digest"]
    registry.blobs[layer(registry)["digest"]] = registry.blobs[config]


def path_as_digest(registry):
    changed(registry, layers=[{**layer(registry), "digest": "sha256:../../../../etc/passwd"}])


def ambiguous(registry):
    changed(registry, manifests=[layer(registry)])


def twice_a_key(registry):
    registry.manifest = registry.manifest.rstrip()[:-1] + b',"layers":[]}'


def no_json(registry):
    registry.manifest = b"<html>It works!</html>"


def deep_json(registry):
    registry.manifest = b"[" * 100_000 + b"]" * 100_000


def huge(registry):
    registry.manifest = registry.manifest.rstrip()[:-1] + b" " * limits.DOCUMENT + b"}"


@pytest.mark.parametrize(
    "spoil",
    [flipped, truncated, extended, wrong_size, negative_size, others_blob, path_as_digest, ambiguous,
     twice_a_key, no_json, deep_json, huge],
)  # fmt: skip
def test_a_pull_refuses(registry, store, spoil, told):
    spoil(registry)
    with pytest.raises(RuntimeFault) as caught:
        pull(store, reference(registry))
    assert caught.value.kind == "corrupt", caught.value
    assert (
        registry.host in str(caught.value) or "sha256" in str(caught.value) or "manifest" in str(caught.value)
    )
    assert store.images() == []
    assert verify(store) == []
    told("T3", rejected=1)


def test_an_altered_manifest_is_refused_by_its_digest(registry, store, source, told):
    changed(registry, annotations={"added": "on the way"})
    with pytest.raises(RuntimeFault) as caught:
        pull(store, reference(registry, f"@{source[1].digest}"))
    assert caught.value.kind == "corrupt"
    assert list(store.blobs) == []
    told("T3", rejected=1)


REALMS = [
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "http://{inside}/token",
    "gopher://x/",
]


@pytest.mark.parametrize("realm", REALMS)
def test_a_token_realm_that_points_elsewhere_gets_nothing(registry, store, source, realm, told):
    with serving(Faulty(*source)) as other:
        address = realm.format(inside=other.host.replace("127.0.0.1", "localhost"))
        challenge = {"WWW-Authenticate": f'Bearer realm="{address}",service="x"'}
        for kind in ("ping", "manifest"):
            registry.wrongs[kind] = [lambda handler: handler.reply(401, headers=challenge)] * 9
        with pytest.raises(RuntimeFault, match="sends us for a token to"):
            pull(store, reference(registry), access=Access(account=Account("user", "secret")))
        assert other.asked == []
    assert all("Authorization" not in headers for _, _, headers in registry.asked)
    assert list(store.blobs) == []
    told("T3", credentials_given_away=0)


def test_no_account_goes_along_with_a_redirect(registry, store, source, told):
    with serving(Faulty(*source)) as other:

        def away(handler):
            handler.reply(307, headers={"Location": f"http://{other.host}{handler.path}"})

        basic = {"WWW-Authenticate": 'Basic realm="here"'}
        registry.wrongs["ping"] = [lambda handler: handler.reply(401, headers=basic)]
        registry.wrongs["blob"] = [away, away]
        pull(store, reference(registry), access=Access(account=Account("user", "secret")))
        assert any("Authorization" in headers for _, _, headers in registry.asked)
        assert len(other.asked) == 2
        assert all("Authorization" not in headers for _, _, headers in other.asked)
    told("T3", credentials_given_away=0)


def test_a_redirect_that_asks_for_the_account_gets_none(registry, store, source, told):
    with serving(Faulty(*source)) as other:
        basic = {"WWW-Authenticate": 'Basic realm="there"'}
        other.wrongs["blob"] = [lambda handler: handler.reply(401, headers=basic)] * 9

        def away(handler):
            handler.reply(307, headers={"Location": f"http://{other.host}{handler.path}"})

        registry.wrongs["blob"] = [away] * 9
        with pytest.raises(
            RuntimeFault, match=r"accounts are shown to the registry alone|asks for an account"
        ):
            pull(store, reference(registry), access=Access(account=Account("user", "secret")))
        assert all("Authorization" not in headers for _, _, headers in other.asked)
    told("T3", credentials_given_away=0)
