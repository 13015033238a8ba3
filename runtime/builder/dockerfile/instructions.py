"""What each instruction says, as values; variables in them are not expanded yet.

Every instruction keeps its node: keyword, position, and the text for error messages.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.builder.dockerfile.heredoc import Heredoc
    from runtime.builder.dockerfile.parser import Node

    Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Instruction:
    """What all have in common."""

    node: Node


@dataclass(frozen=True, slots=True)
class From(Instruction):
    """FROM [--platform=P] IMAGE [AS NAME]; the name in lower case, empty if there is none."""

    image: str
    platform: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Arg(Instruction):
    """ARG NAME[=DEFAULT] …; None is a name without default."""

    pairs: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Env(Instruction):
    """ENV NAME=VALUE …, or the old form ENV NAME VALUE."""

    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Label(Instruction):
    """LABEL NAME=VALUE …, or the old form LABEL NAME VALUE."""

    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """What ADD and COPY share: which files, to where, and how they are to arrive.

    A source that is a here-document is in `documents` instead of `sources`.
    """

    sources: tuple[str, ...]
    destination: str
    documents: tuple[Heredoc, ...]
    chown: str | None
    chmod: str | None
    link: bool
    excludes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Copy(Instruction):
    """COPY; `origin` is the stage, named context or image of --from."""

    files: Files
    origin: str | None = None
    parents: bool = False


@dataclass(frozen=True, slots=True)
class Add(Instruction):
    """ADD: from the context, a URL or a git repository; archives are unpacked unless told not to."""

    files: Files
    checksum: str | None = None
    keep_git_dir: bool = False
    unpack: bool | None = None


@dataclass(frozen=True, slots=True)
class Command(Instruction):
    """A command in exec form (its words) or shell form (one text)."""

    words: tuple[str, ...]
    exec_form: bool


@dataclass(frozen=True, slots=True)
class Run(Command):
    """RUN; `mounts` are the texts of --mount, to be parsed once their variables are known."""

    documents: tuple[Heredoc, ...] = ()
    mounts: tuple[str, ...] = ()
    network: str = "default"
    security: str = "sandbox"


@dataclass(frozen=True, slots=True)
class Cmd(Command):
    """CMD; no words at all take the base image's command away."""


@dataclass(frozen=True, slots=True)
class Entrypoint(Command):
    """ENTRYPOINT; no words at all take the base image's entry point away."""


@dataclass(frozen=True, slots=True)
class Shell(Command):
    """SHELL, always in exec form."""


@dataclass(frozen=True, slots=True)
class Healthcheck(Command):
    """HEALTHCHECK; `test` is NONE, CMD or CMD-SHELL; times in seconds, 0 for the engine's default."""

    test: str = "NONE"
    interval: float = 0.0
    timeout: float = 0.0
    start_period: float = 0.0
    start_interval: float = 0.0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Expose(Instruction):
    """EXPOSE PORT[-PORT][/PROTOCOL] …, as written."""

    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Volume(Instruction):
    """VOLUME PATH …."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting(Instruction):
    """An instruction with one text."""

    value: str


@dataclass(frozen=True, slots=True)
class User(Setting):
    """USER NAME[:GROUP]."""


@dataclass(frozen=True, slots=True)
class Workdir(Setting):
    """WORKDIR PATH."""


@dataclass(frozen=True, slots=True)
class Stopsignal(Setting):
    """STOPSIGNAL NAME-OR-NUMBER."""


@dataclass(frozen=True, slots=True)
class Maintainer(Setting):
    """MAINTAINER TEXT, deprecated."""


@dataclass(frozen=True, slots=True)
class Onbuild(Instruction):
    """ONBUILD INSTRUCTION; `text` is what the image's configuration stores."""

    trigger: Instruction
    text: str
