"""Names and digests: docker's grammar, and the way back to text."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import RuntimeFault
from runtime.image import Digest, Reference

HEX = "0123456789abcdef" * 4
COMPONENT = st.from_regex(r"[a-z0-9]{1,8}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
DOMAIN = st.sampled_from(
    ["localhost", "localhost:5000", "ghcr.io", "r.example:443", "[::1]:5000", "docker.io"]
)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox"),
        ("debian:bookworm", "docker.io/library/debian:bookworm", "debian:bookworm"),
        ("user/app", "docker.io/user/app:latest", "user/app"),
        ("docker.io/busybox", "docker.io/library/busybox:latest", "busybox"),
        ("index.docker.io/library/a:1", "docker.io/library/a:1", "a:1"),
        ("localhost/a", "localhost/a:latest", "localhost/a"),
        ("localhost:5000/a", "localhost:5000/a:latest", "localhost:5000/a"),
        ("[2001:db8::1]:5000/a/b:x", "[2001:db8::1]:5000/a/b:x", "[2001:db8::1]:5000/a/b:x"),
        (f"a@sha256:{HEX}", f"docker.io/library/a@sha256:{HEX}", f"a@sha256:{HEX}"),
        (f"a:latest@sha256:{HEX}", f"docker.io/library/a:latest@sha256:{HEX}", f"a:latest@sha256:{HEX}"),
        ("Upper.example/a", "Upper.example/a:latest", "Upper.example/a"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b"),
    ],
)
def test_a_name_is_completed_and_shortened(text, full, familiar):
    reference = Reference.parse(text)
    assert str(reference) == full
    assert reference.familiar == familiar
    assert Reference.parse(full) == reference


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "a:", "A", "a/", "/a", "a//b", "a:b:c", "a@", "a@sha256:12", f"a@sha256:{HEX.upper()}",
        "-a", "a-", "a..b", "a___b", "a b", "a:ta/g", "a:" + "x" * 129, "x" * 256, HEX, "a\n", "a:t\n",
        "ghcr.io/", "http://a/b", "a:-x", "..", "../a", "é", "a@sha256:" + HEX + "\n",
    ],
)  # fmt: skip
def test_a_wrong_name_is_refused_with_its_text(text):
    with pytest.raises(RuntimeFault) as caught:
        Reference.parse(text)
    assert caught.value.kind == "usage"
    assert caught.value.hint


@given(domain=DOMAIN, path=st.lists(COMPONENT, min_size=1, max_size=3), tag=TAG)
def test_every_valid_name_survives_both_of_its_forms(domain, path, tag):
    reference = Reference.parse(f"{domain}/{'/'.join(path)}:{tag}")
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_a_usage_fault(text):
    with suppress(RuntimeFault):
        reference = Reference.parse(text)
        assert Reference.parse(str(reference)) == reference
        assert not re.search(r"\s", str(reference))


@given(st.binary())
def test_a_digest_of_content_parses_back(content):
    digest = Digest.of(content)
    assert Digest.parse(str(digest)) == digest
    assert (digest.algorithm, len(digest.hex), digest.short) == ("sha256", 64, digest.hex[:12])


@pytest.mark.parametrize(
    "text",
    ["", "sha256", "sha256:", "md5:" + "a" * 32, "sha256:" + "A" * 64, f"sha256:{HEX}0", f" sha256:{HEX}"],
)
def test_a_wrong_digest_is_refused(text):
    with pytest.raises(RuntimeFault, match="not a digest"):
        Digest.parse(text)


def test_sha512_digests_are_read_too():
    assert Digest.parse("sha512:" + "0" * 128).algorithm == "sha512"
