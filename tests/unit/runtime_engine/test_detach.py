"""The keys that detach: found wherever they are in what is typed, and anything else passed on as it came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.detach import Keys
from runtime.errors import RuntimeFault


def typed(keys, *chunks):
    """What goes on, and after which chunk it was left (-1: never)."""
    passed = b""
    for number, chunk in enumerate(chunks):
        more, left = keys.take(chunk)
        passed += more
        if left:
            return passed, number
    return passed, -1


def test_the_default_keys():
    assert typed(Keys(), b"ls\n", b"\x10\x11rest") == (b"ls\n", 1)


def test_keys_in_two_chunks():
    assert typed(Keys(), b"ls\n\x10", b"\x11") == (b"ls\n", 1)


def test_the_first_key_alone_is_passed_on_with_what_follows():
    assert typed(Keys(), b"\x10", b"a") == (b"\x10a", -1)
    assert typed(Keys(), b"\x10\x10", b"\x11") == (b"\x10", 1)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("ctrl-a", b"\x01"), ("ctrl-a,d", b"\x01d"), ("ctrl-\\", b"\x1c"), ("ctrl-@,ctrl-[", b"\x00\x1b"),
     ("q", b"q"),
     ("ctrl-A", b"\x01"), ("", b"\x10\x11")],
)  # fmt: skip
def test_other_keys(text, wanted):
    assert typed(Keys(text), b"x" + wanted) == (b"x", 0)


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "alt-x", "ab", "a,,b", "ctrl-ab"])
def test_what_is_no_key(text):
    with pytest.raises(RuntimeFault, match="--detach-keys: there is no key"):
        Keys(text)


@given(st.lists(st.binary(max_size=4)), st.sampled_from([b"aab", b"aa", b"abab", b"\x10\x11"]))
def test_nothing_is_lost_or_invented(chunks, sequence):
    """As if one looked for the sequence in all of it at once; what is held back is a beginning of it."""
    keys = Keys(",".join(chr(byte) if byte > 31 else f"ctrl-{chr(byte + 96)}" for byte in sequence))
    passed, left = typed(keys, *chunks)
    whole = b"".join(chunks)
    at = whole.find(sequence)
    assert (left >= 0) == (at >= 0)
    held = whole[: at if at >= 0 else len(whole)].removeprefix(passed)
    assert passed + held == (whole[:at] if at >= 0 else whole)
    assert sequence.startswith(held)
