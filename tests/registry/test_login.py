"""`tare registry login` and `logout`, with a real registry and what skopeo stores and reads."""

import base64
import json
import os
import pty
import stat
import subprocess
import sys

import pytest

from runtime.errors import RuntimeFault
from runtime.registry import Account, credentials, keyring
from runtime.registry.login import server
from tests.registry import password
from tests.registry.server import free_port, skopeo

HELPER = """#!/bin/sh
# Keeps each account in a file, and speaks docker-credential-helpers' protocol.
at() { printf '%s/%s' "$KEPT" "$(printf %s "$1" | tr -c 'a-z0-9\\n' _)"; }
case $1 in
store)
    read -r text
    server=$(printf %s "$text" | sed 's/.*"ServerURL": *"\\([^"]*\\)".*/\\1/')
    echo "$text" > "$(at "$server")" ;;
get)
    read -r server
    cat "$(at "$server")" 2>/dev/null && exit
    echo credentials not found in native keychain
    exit 1 ;;
erase) read -r server; rm "$(at "$server")" ;;
esac
"""


@pytest.fixture
def closed(start_registry, tmp_path):
    return password.closed(start_registry, tmp_path)


@pytest.fixture
def config(tmp_path):
    return tmp_path / "home/.docker/config.json"


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """A credential helper called "files" on PATH; returns where it keeps its accounts."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "kept").mkdir()
    program = tmp_path / "bin/docker-credential-files"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("KEPT", str(tmp_path / "kept"))
    return tmp_path / "kept"


def log_in(tare, host, secret="secret\n", code=0):
    return tare("registry", "login", "-u", "ann", "--password-stdin", host, stdin=secret, code=code)


def test_what_login_stores_pushes_pulls_and_is_private(tare, closed, config):
    done = log_in(tare, closed.host)
    assert done.stderr == f"logged in to {closed.host} as ann; stored in {config}\n"
    assert done.stdout == ""
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    entry = {"auth": base64.b64encode(b"ann:secret").decode()}
    assert json.loads(config.read_text()) == {"auths": {closed.host: entry}}
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]
    tare("image", "push", "-q", "made:1", f"{closed.host}/team/made:1")
    assert skopeo("list-tags", "--tls-verify=false", f"docker://{closed.host}/team/made").count('"1"') == 1


def test_a_wrong_password_is_not_stored(tare, closed, config):
    done = log_in(tare, closed.host, "wrong", code=1)
    assert f"{closed.host} refuses the account of ann" in done.stderr
    assert "hint: check the name and the password" in done.stderr
    assert not config.exists()


def test_logout_removes_what_login_stored_and_leaves_the_rest(tare, closed, config):
    config.parent.mkdir(parents=True)
    other = {"auths": {"other.example": {"auth": "YTpi"}}, "proxies": {"default": {}}, "detachKeys": "x"}
    config.write_text(json.dumps(other))
    log_in(tare, closed.host)
    assert set(json.loads(config.read_text())["auths"]) == {"other.example", closed.host}
    assert f"removed from {config}" in tare("registry", "logout", closed.host).stderr
    assert json.loads(config.read_text()) == other
    assert f"not logged in to {closed.host}" in tare("registry", "logout", closed.host).stderr
    done = tare("image", "push", "made:1", f"{closed.host}/x", code=1)
    assert f"log in: tare registry login {closed.host}" in done.stderr


def test_what_skopeo_stores_we_forget_and_what_we_store_skopeo_forgets(tare, closed, monkeypatch, tmp_path):
    file = tmp_path / "auth.json"
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))
    skopeo("login", "--tls-verify=false", "-u", "ann", "-p", "secret", closed.host)
    tare("image", "push", "-q", "made:1", f"{closed.host}/team/made:1")
    assert str(file) in tare("registry", "logout", closed.host).stderr
    assert credentials.find(closed.host) is None
    log_in(tare, closed.host)
    skopeo("list-tags", "--tls-verify=false", f"docker://{closed.host}/team/made")
    skopeo("logout", closed.host)
    assert credentials.find(closed.host) is None


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_a_helper_keeps_the_account_and_the_file_only_says_so(tare, closed, config, helper, key):
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({key: "files" if key == "credsStore" else {closed.host: "files"}}))
    assert "stored in docker-credential-files" in log_in(tare, closed.host).stderr
    assert "secret" in next(helper.iterdir()).read_text()
    assert json.loads(config.read_text())["auths"] == {closed.host: {}}
    tare("image", "push", "-q", "made:1", f"{closed.host}/x")
    assert "removed from docker-credential-files" in tare("registry", "logout", closed.host).stderr
    assert list(helper.iterdir()) == []
    assert json.loads(config.read_text())["auths"] == {}


def test_a_helper_that_is_not_there_is_named_and_nothing_is_stored(tare, closed, config):
    config.parent.mkdir(parents=True)
    config.write_text('{"credsStore": "none-such"}')
    done = log_in(tare, closed.host, code=2)
    assert "docker-credential-none-such" in done.stderr
    assert config.read_text() == '{"credsStore": "none-such"}'


def test_podmans_file_is_changed_if_it_has_the_account_since_it_comes_first(
    tare, closed, config, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    file = tmp_path / "containers/auth.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"auths": {closed.host: {"auth": base64.b64encode(b"bob:old").decode()}}}))
    assert str(file) in log_in(tare, closed.host).stderr
    assert credentials.find(closed.host) == Account("ann", "secret")
    assert not config.exists()


def test_a_link_stays_one_and_an_open_registry_is_said_to_have_checked_nothing(
    tare, registry, config, tmp_path
):
    config.parent.mkdir(parents=True)
    (tmp_path / "dotfiles").write_text("{}")
    config.symlink_to(tmp_path / "dotfiles")
    assert "this one could not be checked" in log_in(tare, registry.host).stderr
    assert config.is_symlink()
    assert registry.host in (tmp_path / "dotfiles").read_text()


def test_a_registry_that_is_not_there_gets_nothing_stored(tare, config):
    assert "cannot connect" in log_in(tare, f"127.0.0.1:{free_port()}", code=1).stderr
    assert not config.exists()


def test_nobody_is_asked_where_nobody_can_answer(tare, closed):
    assert "--username is needed" in tare("registry", "login", closed.host, code=2).stderr
    assert "--password-stdin" in tare("registry", "login", "-u", "ann", closed.host, code=2).stderr
    assert "is empty" in log_in(tare, closed.host, "\n", code=2).stderr
    assert "is no registry" in log_in(tare, "http://x.example/team", code=2).stderr


def test_on_a_terminal_name_and_password_are_asked_for_and_the_password_is_not_shown(closed, config):
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "tests.registry.tare", "registry", "login", closed.host]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    shown = converse(master, [(b"Username: ", b"ann\n"), (b"Password: ", b"secret\n")])
    os.close(master)
    assert process.wait(30) == 0, shown
    assert b"secret" not in shown
    assert config.exists()


def converse(master, turns):
    """Answer each prompt when it comes; returns all that was shown."""
    shown = b""
    for prompt, answer in turns:
        while prompt not in shown:
            shown += os.read(master, 1024)
        os.write(master, answer)
    try:
        while piece := os.read(master, 1024):
            shown += piece
    except OSError:  # EIO: the other side has ended
        pass
    return shown


def test_several_at_once_lose_nothing(config):
    program = (
        "import sys; from runtime.registry import Account, keyring\n"
        "for n in range(10): keyring.remember(f'{sys.argv[1]}{n}.example', Account('a', 'b'))"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, letter]) for letter in "abc"]
    assert [process.wait(30) for process in running] == [0, 0, 0]
    assert len(json.loads(config.read_text())["auths"]) == 30


def test_a_file_that_cannot_be_read_is_not_overwritten(config):
    config.parent.mkdir(parents=True)
    config.write_text('{"auths": ')
    with pytest.raises(RuntimeFault, match="cannot read the accounts"):
        keyring.remember("x.example", Account("a", "b"))
    assert config.read_text() == '{"auths": '


def test_the_docker_hub_has_many_names():
    names = ("", "docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io")
    assert {server(name) for name in names} == {"docker.io"}
    keyring.remember("docker.io", Account("a", "b"))
    assert credentials.find("docker.io", "library/x") == Account("a", "b")
    assert keyring.forget("docker.io")
    assert credentials.find("docker.io") is None


@pytest.mark.parametrize("text", ["busybox", "host/path", "a b", "host:port", "UPPER_case.example"])
def test_what_is_no_server(text):
    with pytest.raises(RuntimeFault, match="is no registry"):
        server(text)
