"""Content digests: parsed once at the edge, frozen inside."""

import hashlib
import re
from dataclasses import dataclass

from runtime.errors import RuntimeFault

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_PATTERN = re.compile(r"(?P<algorithm>[a-z0-9]+(?:[+._-][a-z0-9]+)*):(?P<encoded>[a-zA-Z0-9=_-]+)")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The digest of some content, `ALGORITHM:HEX` (OCI image-spec, descriptor.md, "Digests")."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Parse `sha256:…` or `sha512:…`; anything else is a usage fault that quotes the text."""
        match = _PATTERN.fullmatch(text)
        if match and _is_hex(match["encoded"], _HEX_LENGTH.get(match["algorithm"], 0)):
            return cls(match["algorithm"], match["encoded"])
        raise RuntimeFault(
            f"not a digest: {text!r}",
            kind="usage",
            hint="a digest looks like sha256: and 64 lower-case hexadecimal digits",
        )

    @classmethod
    def of(cls, content: bytes) -> "Digest":
        """Return the sha256 digest of some bytes."""
        return cls("sha256", hashlib.sha256(content).hexdigest())

    @property
    def short(self) -> str:
        """The first twelve digits, as people read them in a listing."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def _is_hex(encoded: str, length: int) -> bool:
    return len(encoded) == length > 0 and set(encoded) <= set("0123456789abcdef")
