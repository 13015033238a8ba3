"""Image names as users of docker type them.

The grammar is that of distribution/reference: `[DOMAIN/]PATH[:TAG][@DIGEST]`. A short name is completed on
the way in (`busybox` is `docker.io/library/busybox:latest`) and shortened again for display.
"""

import re
from dataclasses import dataclass, replace

from runtime.errors import RuntimeFault
from runtime.image.digest import Digest

_DEFAULT_DOMAIN = "docker.io"
_OFFICIAL = "library/"
_MAX_NAME = 255

_SEPARATOR = r"(?:[._]|__|-+)"
_COMPONENT = rf"[a-z0-9]+(?:{_SEPARATOR}[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_NAME = re.compile(rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_SPLIT = re.compile(r"(?P<name>[^@]*?)(?::(?P<tag>[^:/@]*))?(?:@(?P<digest>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A full image name; `tag` is None only where a digest pins the content."""

    domain: str
    path: str
    tag: str | None = "latest"
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Parse a name as `docker pull` would; a usage fault says which part is wrong."""
        parts = _SPLIT.fullmatch(text)
        if parts is None or (name := _parse_name(parts["name"])) is None:
            raise _invalid(text, "name")
        tag, digest = parts["tag"], parts["digest"]
        if tag is not None and not _TAG.fullmatch(tag):
            raise _invalid(text, "tag")
        if tag is None and digest is None:
            tag = "latest"
        return cls(*name, tag, None if digest is None else Digest.parse(digest))

    @property
    def name(self) -> str:
        """Domain and path, without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar(self) -> str:
        """The name as people write it: no default domain, no `library/`, no `:latest`."""
        short = self.path.removeprefix(_OFFICIAL)
        head = self.name
        if self.domain == _DEFAULT_DOMAIN:
            # A path whose first part could be a domain needs the real one before it.
            short = self.path if "/" in short else short
            head = self.name if _starts_with_domain(short) else short
        return head + self._suffix(hide_latest=True)

    @property
    def familiar_tagged(self) -> str:
        """The familiar name with its tag always, as docker writes it into archives; without a digest."""
        return f"{replace(self, tag=None, digest=None).familiar}:{self.tag}"

    def tagged(self, tag: str) -> "Reference":
        """Return the same name with another tag and no digest."""
        return replace(self, tag=tag, digest=None)

    def _suffix(self, *, hide_latest: bool) -> str:
        hidden = self.tag is None or (hide_latest and self.tag == "latest" and self.digest is None)
        return ("" if hidden else f":{self.tag}") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name + self._suffix(hide_latest=False)


def is_repository(text: str) -> bool:
    """Say whether a name has neither tag nor digest, so that `parse` took it to mean `latest`."""
    return "@" not in text and ":" not in text.rpartition("/")[2]


def _parse_name(text: str) -> tuple[str, str] | None:
    # Docker refuses 64 hexadecimal digits as a name, since they would be taken for an image's id.
    if re.fullmatch(r"[a-f0-9]{64}", text):
        return None
    head, _, rest = text.partition("/")
    if not _starts_with_domain(text):
        head, rest = _DEFAULT_DOMAIN, text
    if head == "index.docker.io":
        head = _DEFAULT_DOMAIN
    if head == _DEFAULT_DOMAIN and "/" not in rest:
        rest = _OFFICIAL + rest
    match = _NAME.fullmatch(f"{head}/{rest}")
    if match is None or match["domain"] != head or len(f"{head}/{rest}") > _MAX_NAME:
        return None
    return head, rest


def _starts_with_domain(text: str) -> bool:
    """Say whether the first part could not be a user's name: distribution/reference, normalize.go."""
    head, slash, _ = text.partition("/")
    return bool(slash and (re.search(r"[.:]", head) or head == "localhost" or head.lower() != head))


def _invalid(text: str, part: str) -> RuntimeFault:
    return RuntimeFault(
        f"not an image name: {text!r} (its {part} is not valid)",
        kind="usage",
        hint="write [DOMAIN/]PATH[:TAG][@DIGEST] in lower case, for example debian:bookworm",
    )
