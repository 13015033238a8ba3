"""Content digests: parsed once at the edge, frozen inside."""

import hashlib
import re

from runtime.errors import RuntimeFault

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_PATTERN = re.compile(r"(?P<algorithm>[a-z0-9]+(?:[+._-][a-z0-9]+)*):(?P<encoded>[a-zA-Z0-9=_-]+)")


class Digest(str):
    """The digest of some content, `ALGORITHM:HEX` (OCI image-spec, descriptor.md, "Digests").

    A string, so that it compares, hashes and prints as one; `parse` is the only way in for foreign text.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Check `sha256:…` or `sha512:…`; anything else is a usage fault that quotes the text."""
        match = _PATTERN.fullmatch(text)
        if match and _is_hex(match["encoded"], _HEX_LENGTH.get(match["algorithm"], 0)):
            return cls(text)
        raise RuntimeFault(
            f"not a digest: {text!r}",
            kind="usage",
            hint="a digest looks like sha256: and 64 lower-case hexadecimal digits",
        )

    @classmethod
    def of(cls, content: bytes) -> "Digest":
        """Return the sha256 digest of some bytes."""
        return cls(f"sha256:{hashlib.sha256(content).hexdigest()}")

    @property
    def algorithm(self) -> str:
        """The name of the hash function, as hashlib knows it."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The digits alone."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """The first twelve digits, as people read them in a listing."""
        return self.hex[:12]


def _is_hex(encoded: str, length: int) -> bool:
    return len(encoded) == length > 0 and set(encoded) <= set("0123456789abcdef")
