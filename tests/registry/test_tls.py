"""A real docker-registry with TLS: its certificate, ours, and the ways through a proxy."""

import shutil

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference
from runtime.registry import Access, certificates, pull, push
from tests.registry.authority import Authority
from tests.registry.forward import forwarding

NAME = "registry.test"  # nobody can resolve it


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("authority") / "ca")
    made.sign("server", f"DNS:{NAME}", "IP:127.0.0.1")
    made.sign("ann")
    return made


@pytest.fixture
def secure(start_registry, authority):
    return start_registry(http=tls(authority))


def tls(authority, more=""):
    return f"tls: {{certificate: {authority.folder}/server.crt, key: {authority.folder}/server.key{more}}}"


@pytest.fixture
def trusted(authority, tmp_path):
    """A directory for --cert-dir that has the authority's certificate."""
    (tmp_path / "certs").mkdir()
    shutil.copy(authority.certificate, tmp_path / "certs")
    return tmp_path / "certs"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_an_unknown_certificate_is_refused_and_the_ways_out_are_named(tare, secure):
    done = tare("image", "push", "made:1", f"{secure.host}/made:1", code=1)
    assert f"no secure connection to {secure.host}: unable to get local issuer" in done.stderr
    assert f"/etc/docker/certs.d/{secure.host}/ca.crt" in done.stderr
    assert "--tls-verify=false" in done.stderr


def test_a_certificate_directory_makes_it_known(tare, secure, trusted, tmp_path):
    tare("image", "push", "-q", f"--cert-dir={trusted}", "made:1", f"{secure.host}/made:1")
    tare("image", "pull", "-q", f"--cert-dir={trusted}", f"{secure.host}/made:1", root=tmp_path / "other")


def test_without_verification_any_certificate_will_do(tare, secure):
    tare("image", "push", "-q", "--tls-verify=false", "made:1", f"{secure.host}/made:1")


def test_dockers_and_podmans_directories_are_looked_at(secure, authority, made, tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "_PLACES", (tmp_path / "certs.d",))
    (tmp_path / f"certs.d/{secure.host}").mkdir(parents=True)
    shutil.copy(authority.certificate, tmp_path / f"certs.d/{secure.host}/ca.crt")
    push(made[0], "made:1", Reference.parse(f"{secure.host}/made:1"))


def test_a_registry_that_wants_our_certificate_gets_it(start_registry, authority, made, trusted):
    registry = start_registry(http=tls(authority, f", clientcas: [{authority.certificate}]"))
    there = Reference.parse(f"{registry.host}/made:1")
    with pytest.raises(RuntimeFault, match=r"no secure connection .* certificate") as caught:
        push(made[0], "made:1", there, access=Access(certificates=trusted))
    assert "NAME.cert and NAME.key" in caught.value.hint
    shutil.copy(authority.folder / "ann.crt", trusted / "client.cert")
    shutil.copy(authority.folder / "ann.key", trusted / "client.key")
    push(made[0], "made:1", there, access=Access(certificates=trusted))


def test_a_proxy_carries_tls_from_end_to_end(secure, made, store, trusted, monkeypatch):
    there = Reference.parse(f"{NAME}/made:1")
    access = Access(certificates=trusted)
    with forwarding(secure.host) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:secret@{proxy.address}")
        push(made[0], "made:1", there, access=access)
        pull(store, there, access=access)
        assert {tuple(words) for words, _ in proxy.asked} == {("CONNECT", f"{NAME}:443")}
        assert {account.lower() for _, account in proxy.asked} == {
            "proxy-authorization: basic yw5uonnly3jlda=="
        }
    assert store.resolve(there).digest == made[1].digest


def test_a_proxy_that_carries_plain_http_sees_each_url(registry, made, store, monkeypatch):
    there = Reference.parse(f"{NAME}:5000/made:1")
    with forwarding(registry.host) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        push(made[0], "made:1", there, access=Access(verify=False))
        pull(store, there, access=Access(verify=False))
        assert ["GET", f"http://{NAME}:5000/v2/"] in [words for words, _ in proxy.asked]
    assert store.resolve(there).digest == made[1].digest


@pytest.mark.parametrize("exempt", [NAME, ".test", "*"])
def test_no_proxy_is_honoured(registry, made, monkeypatch, exempt):
    with forwarding(registry.host) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        monkeypatch.setenv("NO_PROXY", exempt)
        with pytest.raises(RuntimeFault, match=f"cannot connect to {NAME}"):
            push(made[0], "made:1", Reference.parse(f"{NAME}/made:1"))
        assert proxy.asked == []


def test_this_machine_is_never_reached_through_a_proxy(registry, made, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    push(made[0], "made:1", Reference.parse(f"{registry.host}/made:1"))


def test_a_proxy_that_is_down_or_of_an_unknown_kind_is_named(made, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:secret@127.0.0.1:1")
    with pytest.raises(RuntimeFault, match=f"no way to {NAME}") as caught:
        push(made[0], "made:1", Reference.parse(f"{NAME}/made:1"))
    assert "HTTPS_PROXY" in caught.value.hint
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://ann:secret@127.0.0.1:1")
    with pytest.raises(RuntimeFault, match="socks5") as caught:
        push(made[0], "made:1", Reference.parse(f"{NAME}/made:1"))
    assert caught.value.kind == "usage"
    assert "secret" not in str(caught.value)
