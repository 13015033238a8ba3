"""What a starter keeps of a kind: its program with the home that a container's files tell, and no more."""

from __future__ import annotations

import ctypes

import pytest

from runtime.linux.kept import Kept
from runtime.process import ground, kind


def wired(number=0, **launch):
    own = {"args": ["sh", str(number)], "env": {"PATH": "/bin:/sbin"}}
    full = {"mounts": [], "seccomp": b"", **own, **launch}
    return kind.wire(full, ground.kind([], [], []))


def environment(program):
    address, found = program.calls[0][2], []
    while text := ctypes.c_char_p.from_address(address).value:
        found.append(text)
        address += ctypes.sizeof(ctypes.c_char_p)
    return found


def test_the_home_is_the_containers_unless_it_is_given():
    plain, given = kind.Kind(wired()), kind.Kind(wired(env={"HOME": "/mine"}))
    assert environment(plain.program("/root")) == [b"PATH=/bin:/sbin", b"HOME=/root"]
    assert environment(plain.program("/other")) == [b"PATH=/bin:/sbin", b"HOME=/other"]
    assert environment(plain.program(None)) == [b"PATH=/bin:/sbin"]
    assert environment(given.program("/root")) == [b"HOME=/mine"]


def test_a_program_lies_ready_when_it_comes_again():
    plain = kind.Kind(wired())
    first = plain.program("/root")
    assert plain.program("/root") is first
    for number in range(16):
        plain.program(f"/{number}")
    assert plain.program("/root") is not first


def test_kinds_are_known_by_what_they_say(monkeypatch):
    monkeypatch.setattr(kind, "_known", Kept(kind.Kind))
    first = kind.ready(wired())
    assert kind.ready(wired()) is first
    for number in range(1, 17):
        assert kind.ready(wired(number)) is not first
    assert kind.ready(wired()) is not first
    assert len(kind._known) == 16


def test_a_zero_byte_is_refused():
    with pytest.raises(ValueError, match="zero byte"):
        kind.Kind(wired(args=["a\0b"])).program(None)
