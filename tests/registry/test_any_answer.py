"""Whatever a server sends where a document or a token should be is a fault in our words, or understood."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.errors import RuntimeFault
from runtime.registry import authorizer, document
from runtime.registry.challenge import parse
from runtime.registry.faults import words
from runtime.registry.patience import retry_after

DIGEST = f"sha256:{'0' * 64}"
WORDS = st.sampled_from([*document.ACCEPT.split(", "), DIGEST, "layers", "a", "", "\x1b[31m"])
KEYS = st.sampled_from(
    ["mediaType", "schemaVersion", "manifests", "layers", "config", "digest", "size", "urls", "annotations",
     "platform", "errors", "code", "message", "token", "access_token", "expires_in", "Layers"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.sampled_from([2, 10**400])
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=6))
BODIES = st.binary(max_size=60) | VALUES.map(json.dumps).map(str.encode)


def fault_of(action):
    """Return the text of the fault that an action ends with; None for none, and no other exception passes."""
    try:
        action()
    except RuntimeFault as fault:
        return str(fault)
    return None


@settings(deadline=None, max_examples=400)
@given(BODIES, st.none() | WORDS)
def test_a_document(content, declared):
    said = fault_of(lambda: document.read(content, declared, "it"))
    assert said is None or (said.startswith("it ") and said.isprintable())


@settings(deadline=None, max_examples=300)
@example("\ue000".encode())
@example("\u202e".encode())
@given(BODIES)
def test_a_token_and_an_error(content):
    assert words(content).isprintable()
    said = fault_of(lambda: authorizer._token(content, "host"))
    assert said in (None, "the token server host sends no token")


@settings(deadline=None)
@given(st.text(max_size=80))
def test_headers(text):
    parse([text])
    assert (retry_after(text) or 0.0) >= 0.0


@pytest.mark.parametrize("wrong", ['{"token": "a", "expires_in": 1' + "0" * 400 + "}", "[" * 100_000])
def test_what_overflows(wrong):
    with pytest.raises(RuntimeFault, match="sends no token"):
        authorizer._token(wrong.encode(), "host")
