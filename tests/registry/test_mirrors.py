"""Pulling through mirrors: a real docker-registry in proxy mode before another one, and mirrors that fail."""

import socket
import time

import pytest

from runtime.image import Reference, Store
from runtime.image.verify import verify
from runtime.registry import Access, Account, Watch, limits, pull, push
from tests.registry import password
from tests.registry.faulty import NAME, Faulty, serving
from tests.registry.server import free_port


class Notes(Watch):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


@pytest.fixture
def pushed(registry, made):
    source, image = made
    reference = Reference.parse(f"{registry.host}/{NAME}:1")
    push(source, "made:1", reference)
    return reference, image


@pytest.fixture
def mirror(start_registry, registry):
    return start_registry(f"proxy: {{remoteurl: 'http://{registry.host}'}}")


@pytest.fixture
def closed(start_registry, tmp_path):
    return password.closed(start_registry, tmp_path)


@pytest.fixture
def closed_mirror(start_registry, registry, tmp_path):
    return password.closed(start_registry, tmp_path, f"proxy: {{remoteurl: 'http://{registry.host}'}}")


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Return a function that writes this host's registries.conf."""

    def write(text):
        file = tmp_path / "registries.conf"
        file.write_text(text)
        monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(file))

    return write


def await_blobs(registry, image):
    """Wait until the mirror has written what it has passed on."""
    blobs = registry.folder / "storage/docker/registry/v2/blobs/sha256"
    wanted = [one.digest.hex for one in (image.manifest.config, *image.layers)]
    deadline = time.monotonic() + 20
    while missing := [name for name in wanted if not (blobs / name[:2] / name / "data").exists()]:
        assert time.monotonic() < deadline, missing
        time.sleep(0.05)


def test_a_real_mirror_then_holds_the_image_and_needs_the_origin_no_more(
    tare, mirror, pushed, registry, tmp_path
):
    reference, image = pushed
    done = tare("image", "pull", "--mirror", mirror.host, str(reference), root=tmp_path / "a")
    assert done.stdout.strip() == image.digest
    assert "no help" not in done.stderr
    await_blobs(mirror, image)
    registry.process.kill()
    registry.process.wait()
    done = tare("image", "pull", "--mirror", f"http://{mirror.host}", str(reference), root=tmp_path / "b")
    assert done.stdout.strip() == image.digest
    assert str(reference) in tare("image", "ls", root=tmp_path / "b").stdout
    assert verify(Store(tmp_path / "b/images")) == []


def test_a_dead_mirror_is_told_of_and_the_origin_asked(tare, pushed, tmp_path):
    reference, image = pushed
    dead = f"127.0.0.1:{free_port()}"
    done = tare("image", "pull", "--mirror", dead, str(reference), root=tmp_path / "a")
    assert done.stdout.strip() == image.digest
    assert f"the mirror {dead} is no help: cannot connect to {dead}" in done.stderr


def test_a_mirror_without_the_image_and_one_that_is_wrong_are_passed_over(start_registry, pushed, store):
    reference, image = pushed
    notes = Notes()
    mirrors = (start_registry().host, f"{start_registry().host}/elsewhere")
    pull(store, reference, access=Access(mirrors=mirrors), watch=notes)
    assert store.resolve(reference).digest == image.digest
    assert [text.partition(" is no help")[0] for text in notes.said] == [
        f"the mirror {host.partition('/')[0]}" for host in mirrors
    ]
    assert all("manifest unknown" in text for text in notes.said)


def test_what_a_mirror_damages_comes_from_the_origin(pushed, made, store):
    reference, image = pushed
    notes = Notes()
    with serving(Faulty(*made)) as mirror:
        layer = str(image.layers[0].digest)
        mirror.blobs[layer] = mirror.blobs[layer][:-1] + b"x"
        pull(store, reference, access=Access(mirrors=(mirror.host,)), watch=notes)
    assert "damaged on its way" in notes.said[0]
    assert store.resolve(reference).digest == image.digest
    assert verify(store) == []


def test_a_mirror_that_says_nothing_is_left(pushed, made, store, monkeypatch):
    monkeypatch.setattr(limits, "MIRROR_SILENCE", 0.2)
    reference, image = pushed
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host = f"127.0.0.1:{mute.getsockname()[1]}"
        pull(store, reference, access=Access(mirrors=(host,)))
    assert store.resolve(reference).digest == image.digest


@pytest.mark.parametrize("kind", ["ping", "manifest", "blob"])
def test_a_mirror_that_is_always_busy_is_not_waited_for(pushed, made, store, kind):
    reference, image = pushed
    with serving(Faulty(*made)) as mirror:
        later = {"Retry-After": "100"}
        mirror.wrongs[kind] = [lambda handler: handler.reply(503, headers=later)] * 99
        pull(store, reference, access=Access(mirrors=(mirror.host,)))
        assert len(mirror.wrongs[kind]) >= 95
    assert store.resolve(reference).digest == image.digest


@pytest.mark.parametrize("kept", [True, False], ids=["stored", "given"])
def test_a_mirror_never_sees_the_account_of_the_origin(closed, made, store, tare, kept):
    reference = Reference.parse(f"{closed.host}/{NAME}:1")
    account = Account("ann", "secret")
    push(made[0], "made:1", reference, access=Access(account=account))
    if kept:
        tare("registry", "login", "-u", "ann", "--password-stdin", closed.host, stdin="secret")
    with serving(Faulty(*made)) as mirror:
        basic = {"WWW-Authenticate": 'Basic realm="here"'}
        for kind in ("ping", "manifest", "blob"):
            mirror.wrongs[kind] = [lambda handler: handler.reply(401, headers=basic)] * 9
        access = Access(account=None if kept else account, mirrors=(mirror.host,))
        pull(store, reference, access=access)
        assert mirror.asked
        assert all("Authorization" not in headers for _, _, headers in mirror.asked)
    assert store.resolve(reference).digest == made[1].digest


def test_a_mirror_has_an_account_of_its_own(closed_mirror, pushed, store, tare):
    (reference, image), mirror = pushed, closed_mirror
    tare("registry", "login", "-u", "ann", "--password-stdin", mirror.host, stdin="secret")
    notes = Notes()
    pull(store, reference, access=Access(mirrors=(mirror.host,)), watch=notes)
    assert notes.said == []
    await_blobs(mirror, image)


def test_a_push_goes_past_the_mirror_that_is_configured(registry, made, configure):
    host = registry.host
    configure(f"[[registry]]\nlocation = '{host}'\n[[registry.mirror]]\nlocation = '127.0.0.1:1'\n")
    push(made[0], "made:1", Reference.parse(f"{host}/made:1"))


def test_the_docker_hub_by_the_hosts_configuration(tare, registry, mirror, made, configure):
    """No name leaves this machine: the Hub's place is taken by a registry, with a mirror before it."""
    push(made[0], "made:1", Reference.parse(f"{registry.host}/library/made:1"))
    other = made[0].root.parent / "other"
    configure(f"""
unqualified-search-registries = ["nobody.example"]
[[registry]]
prefix = "docker.io"
location = "{registry.host}"
[[registry.mirror]]
location = "{mirror.host}"
insecure = true
""")
    assert tare("image", "pull", "made:1", root=other).stdout.strip() == made[1].digest
    await_blobs(mirror, made[1])
    assert "made:1" in tare("image", "ls", root=other).stdout
    assert tare("registry", "tags", "made").stdout.split() == ["1"]
