"""The configuration that an image gets from its Dockerfile (OCI image-spec and docker's additions).

Each function returns a new value; texts are expanded already.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime.builder.dockerfile.instructions import Healthcheck

_PORT = re.compile(
    r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?(?:/(?P<protocol>tcp|udp|sctp))?", re.ASCII
)
_HIGHEST = 65535


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a container of the image starts with.

    None for `cmd` and `entrypoint` is "not set", and so is an empty `workdir`, which means the root.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    onbuild: tuple[str, ...] = ()
    author: str = ""

    def command(self, words: tuple[str, ...], *, exec_form: bool) -> tuple[str, ...]:
        """Return what to execute: the words, or the shell and the text."""
        return words if exec_form or not words else (*self.shell, *words)

    def started_by(self, entrypoint: tuple[str, ...], *, keep_cmd: bool) -> ImageConfig:
        """Set the entry point; a CMD of the base image goes, since it was meant for another program."""
        return replace(self, entrypoint=entrypoint or None, cmd=self.cmd if keep_cmd else None)

    def at(self, path: str) -> ImageConfig:
        """Set the working directory; a relative path counts from the one before."""
        return replace(self, workdir=posixpath.normpath("/" + self.path(path).lstrip("/")))

    def path(self, path: str) -> str:
        """Return a path as seen from the working directory; a slash at its end is kept."""
        return posixpath.join(self.workdir or "/", path)

    def exposing(self, texts: list[str]) -> ImageConfig:
        """Add ports; a value error names what is none."""
        added = [port for text in texts for port in ports(text)]
        return replace(self, ports=tuple(dict.fromkeys([*self.ports, *added])))

    def with_volumes(self, paths: list[str]) -> ImageConfig:
        """Add volumes."""
        return replace(self, volumes=tuple(dict.fromkeys([*self.volumes, *paths])))


def ports(text: str) -> list[str]:
    """Read `80`, `80/udp` or `8000-8010/tcp` as ports with their protocol."""
    match = _PORT.fullmatch(text.lower())
    first = int(match["first"]) if match else _HIGHEST + 1
    last = int(match["last"] or first) if match else 0
    if match is None or not first <= last <= _HIGHEST:
        raise ValueError(f"not a port: {text!r}, write 80, 80/udp or 8000-8010/tcp")
    return [f"{port}/{match['protocol'] or 'tcp'}" for port in range(first, last + 1)]
