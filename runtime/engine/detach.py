"""The keys that leave a container alone: typed at an attached terminal, they end the client, nothing else."""

from __future__ import annotations

from runtime.errors import RuntimeFault

DEFAULT = "ctrl-p,ctrl-q"
_LONE = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


class Keys:
    """A sequence such as "ctrl-p,ctrl-q", looked for in what is typed."""

    def __init__(self, text: str = DEFAULT) -> None:
        """Raise a usage fault for what is no such sequence."""
        self._wanted = bytes(_key(name) for name in (text or DEFAULT).split(","))
        self._seen = 0

    def take(self, typed: bytes) -> tuple[bytes, bool]:
        """Return what goes on to the container, and whether the sequence is complete.

        Its beginning is held back until it is known to be none.
        """
        passed = bytearray()
        for byte in typed:
            held = self._wanted[: self._seen] + bytes([byte])
            keep = next(n for n in range(len(held), -1, -1) if held[len(held) - n :] == self._wanted[:n])
            passed += held[: len(held) - keep]
            self._seen = keep
            if keep == len(self._wanted):
                return bytes(passed), True
        return bytes(passed), False


def _key(name: str) -> int:
    letter = name.removeprefix("ctrl-")
    if letter == name and len(name) == 1:
        return ord(name)
    if len(letter) == 1 and (letter in _LONE or ("a" <= letter.lower() <= "z")):
        return _LONE.get(letter, ord(letter.lower()) & 31)
    hint = "for example ctrl-p,ctrl-q"
    raise RuntimeFault(f"--detach-keys: there is no key {name!r}", kind="usage", hint=hint)
