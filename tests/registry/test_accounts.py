"""A real docker-registry with a password: given, stored, wrong, and none."""

import base64
import json

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference
from runtime.registry import Access, Account, pull, push
from tests.registry import password


@pytest.fixture
def closed(start_registry, tmp_path):
    return password.closed(start_registry, tmp_path)


@pytest.fixture
def there(closed):
    return Reference.parse(f"{closed.host}/team/made:1")


def stored(home, host, text):
    (home / ".docker").mkdir(parents=True)
    document = {"auths": {host: {"auth": base64.b64encode(text.encode()).decode()}}}
    (home / ".docker/config.json").write_text(json.dumps(document))


def test_an_account_that_is_given_pushes_and_pulls(made, there, store):
    source, image = made
    access = Access(account=Account("ann", "secret"))
    push(source, "made:1", there, access=access)
    pull(store, there, access=access)
    assert store.resolve(there).digest == image.digest


def test_an_account_that_docker_has_stored_is_found(made, there, closed, tmp_path):
    source, _ = made
    stored(tmp_path / "home", closed.host, "ann:secret")
    push(source, "made:1", there)
    assert list((closed.folder / "storage").rglob("_manifests/tags/1"))


@pytest.mark.parametrize("access", [Access(), Access(account=Account("ann", "wrong"))], ids=["none", "wrong"])
def test_nobody_and_a_wrong_password_are_told_what_to_do(made, there, closed, access):
    source, _ = made
    with pytest.raises(RuntimeFault, match="401") as caught:
        push(source, "made:1", there, access=access)
    assert caught.value.hint == f"give --creds USER, or log in: tare registry login {closed.host}"
    assert "wrong" not in str(caught.value)
    assert not list((closed.folder / "storage").rglob("link"))
