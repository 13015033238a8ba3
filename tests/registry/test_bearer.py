"""A real docker-registry that believes only signed tokens, and the server that gives them."""

import json

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Reference
from runtime.registry import Access, Account, pull, push
from runtime.registry.removal import remove
from tests.registry.authority import Authority
from tests.registry.listener import listening
from tests.registry.server import skopeo
from tests.registry.test_push import Journal
from tests.registry.tokens import TokenHandler, Tokens

ANN = Access(account=Account("ann", "secret"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture
def tokens(authority):
    made = Tokens(authority)
    with listening(TokenHandler, made) as address:
        made.address = address
        yield made


@pytest.fixture
def guarded(start_registry, tokens):
    return start_registry(tokens.configuration(tokens.address))


def there(registry, name="public/made:1"):
    return Reference.parse(f"{registry.host}/{name}")


def test_an_account_gets_a_token_for_what_it_does_and_no_more_often_than_needed(guarded, tokens, made, store):
    push(made[0], "made:1", there(guarded), access=ANN)
    assert tokens.asked == [("GET", ["repository:public/made:pull,push"])]
    pull(store, there(guarded), access=ANN)
    assert tokens.asked[1:] == [("GET", ["repository:public/made:pull"])]
    assert store.resolve(there(guarded)).digest == made[1].digest


def test_nobody_pulls_what_is_public_and_pushes_nothing(guarded, made, store):
    push(made[0], "made:1", there(guarded), access=ANN)
    pull(store, there(guarded))
    with pytest.raises(RuntimeFault, match="401") as caught:
        push(made[0], "made:1", there(guarded, "public/other:1"))
    assert f"tare registry login {guarded.host}" in caught.value.hint
    push(made[0], "made:1", there(guarded, "private/made:1"), access=ANN)
    with pytest.raises(RuntimeFault, match="401"):
        pull(store, there(guarded, "private/made:1"))


def test_a_neighbours_blobs_are_mounted_with_a_token_for_both(guarded, tokens, made):
    source, image = made
    push(source, "made:1", there(guarded, "private/first:1"), access=ANN)
    source.tag("made:1", there(guarded, "private/first:1"))
    journal = Journal()
    push(source, "made:1", there(guarded, "private/second:1"), access=ANN, watch=journal)
    assert journal.ends[image.layers[0].digest] == "mounted"
    assert tokens.asked[-1][1] == ["repository:private/second:pull,push", "repository:private/first:pull"]


def test_to_remove_is_asked_for(guarded, tokens, made):
    push(made[0], "made:1", there(guarded), access=ANN)
    done = remove(there(guarded), access=ANN)
    assert done.digest == made[1].digest
    assert tokens.asked[-1][1] == ["repository:public/made:pull,delete"]


def test_a_token_that_has_run_out_is_got_anew(guarded, tokens, made, store):
    push(made[0], "made:1", there(guarded, "private/made:1"), access=ANN)
    tokens.asked.clear()
    tokens.stale = 1
    pull(store, there(guarded, "private/made:1"), access=ANN)
    assert len(tokens.asked) == 2


def test_an_identity_token_is_shown_to_the_token_server_alone(guarded, tokens, made, tmp_path):
    (tmp_path / "home/.docker").mkdir(parents=True)
    document = {"auths": {guarded.host: {"identitytoken": tokens.refresh}}}
    (tmp_path / "home/.docker/config.json").write_text(json.dumps(document))
    push(made[0], "made:1", there(guarded, "private/made:1"))
    assert tokens.asked == [("POST", ["repository:private/made:pull,push"])]


def test_login_is_refused_by_the_token_server_and_what_it_takes_is_what_skopeo_takes(tare, guarded, made):
    words = ("registry", "login", "-u", "ann", "--password-stdin", guarded.host)
    done = tare(*words, stdin="wrong", code=1)
    assert "incorrect name or password" in done.stderr
    assert "check the name and the password" in done.stderr
    tare(*words, stdin="secret")
    tare("image", "push", "-q", "made:1", f"{guarded.host}/private/made:1")
    listed = skopeo("list-tags", "--tls-verify=false", f"docker://{guarded.host}/private/made")
    assert (
        json.loads(listed)["Tags"] == tare("registry", "tags", f"{guarded.host}/private/made").stdout.split()
    )
