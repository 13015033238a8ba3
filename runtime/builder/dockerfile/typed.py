"""Nodes read as instructions: the right number of arguments, known flags, valid values.

What holds variables (`$`) can only be checked once they are known; the rest is refused here, with its line.
"""

from __future__ import annotations

import re
from functools import partial

from runtime.builder.dockerfile import heredoc, mounts, units
from runtime.builder.dockerfile import instructions as kinds
from runtime.builder.dockerfile.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from runtime.builder.dockerfile.instructions import Instruction
    from runtime.builder.dockerfile.parser import Node

    _C = TypeVar("_C", bound=kinds.Command)

_STAGE_NAME = re.compile(r"[a-z][a-z0-9._-]*")
_NETWORKS = ("default", "none", "host")
_SECURITY = ("sandbox", "insecure")
_NO_TRIGGER = frozenset({"FROM", "MAINTAINER", "ONBUILD"})


def read(node: Node) -> Instruction:
    """Return what a node says; a DockerfileFault names the line and what is wrong."""
    reader = _READERS.get(node.keyword.upper())
    if reader is None:
        raise node.fault(f"unknown instruction: {node.keyword or '(nothing)'}")
    try:
        return reader(node)
    except ValueError as err:
        raise node.fault(str(err)) from err


def _from(node: Node) -> kinds.From:
    platform = Flags(node, texts=("platform",)).text("platform")
    match node.values:
        case (image,):
            return kinds.From(node, image, platform, "")
        case (image, word, name) if word.upper() == "AS":
            if not _STAGE_NAME.fullmatch(name.lower()):
                raise ValueError(f"not a stage name: {name!r}, it must begin with a letter")
            return kinds.From(node, image, platform, name.lower())
    raise ValueError("FROM takes an image, or an image, AS and a name")


def _arg(node: Node) -> kinds.Arg:
    Flags(node)
    pairs = []
    for word in _some(node):
        name, equals, value = word.partition("=")
        if not name:
            raise ValueError("ARG names must not be empty")
        pairs.append((name, value if equals else None))
    return kinds.Arg(node, tuple(pairs))


def _pairs(node: Node) -> tuple[tuple[str, str], ...]:
    Flags(node)
    values = _some(node)
    if not all(values[::2]):
        raise ValueError(f"{node.keyword.upper()} names must not be empty")
    return tuple(zip(values[::2], values[1::2], strict=True))


def _copy(node: Node) -> kinds.Copy:
    texts, switches = ("from", "chown", "chmod"), ("link", "parents")
    flags = Flags(node, texts=texts, switches=switches, lists=("exclude",))
    return kinds.Copy(node, _files(node, flags), flags.text("from"), bool(flags.switch("parents")))


def _add(node: Node) -> kinds.Add:
    texts, switches = ("chown", "chmod", "checksum"), ("link", "keep-git-dir", "unpack")
    flags = Flags(node, texts=texts, switches=switches, lists=("exclude",))
    keep_git_dir, unpack = bool(flags.switch("keep-git-dir")), flags.switch("unpack")
    return kinds.Add(node, _files(node, flags), flags.text("checksum"), keep_git_dir, unpack)


def _files(node: Node, flags: Flags) -> kinds.Files:
    if len(node.values) < 2:  # noqa: PLR2004 - a source and a destination
        raise ValueError(f"{node.keyword.upper()} takes at least one source and the destination")
    *words, destination = node.values
    if node.heredocs and heredoc.start(destination):
        raise ValueError(f"{node.keyword.upper()} cannot have a here-document as its destination")
    started = {document.name for document in node.heredocs}
    found = ((word, heredoc.start(word)) for word in words)
    sources = tuple(word for word, document in found if not document or document.name not in started)
    return kinds.Files(
        sources, destination, node.heredocs, flags.text("chown"), flags.text("chmod"),
        bool(flags.switch("link")), flags.every("exclude"),
    )  # fmt: skip


def _run(node: Node) -> kinds.Run:
    flags = Flags(node, texts=("network", "security"), lists=("mount",))
    for text in flags.every("mount"):
        if "$" not in text:
            mounts.parse(text)
    if not any(node.values):
        raise ValueError("RUN takes a command")
    return kinds.Run(
        node, node.values, node.exec_form, documents=node.heredocs, mounts=flags.every("mount"),
        network=_choice(flags, "network", _NETWORKS), security=_choice(flags, "security", _SECURITY),
    )  # fmt: skip


def _choice(flags: Flags, name: str, allowed: tuple[str, ...]) -> str:
    value = flags.text(name) or allowed[0]
    if value not in allowed:
        raise ValueError(f"--{name} is one of {', '.join(allowed)}, not {value!r}")
    return value


def _command(node: Node, kind: type[_C]) -> _C:
    Flags(node)
    return kind(node, node.values, node.exec_form)


def _shell(node: Node) -> kinds.Shell:
    if not node.exec_form or not any(node.values):
        raise ValueError('SHELL takes a JSON array, for example ["/bin/bash", "-c"]')
    return _command(node, kinds.Shell)


def _healthcheck(node: Node) -> kinds.Healthcheck:
    times = ("interval", "timeout", "start-period", "start-interval")
    flags = Flags(node, texts=(*times, "retries"))
    if not node.values:
        raise ValueError("HEALTHCHECK takes NONE or CMD and a command")
    kind, words = node.values[0].upper(), node.values[1:]
    if kind == "NONE":
        if words or node.flags:
            raise ValueError("HEALTHCHECK NONE takes nothing else")
        return kinds.Healthcheck(node, (), exec_form=False)
    if kind != "CMD" or not any(words):
        raise ValueError(f"HEALTHCHECK takes NONE or CMD and a command, not {node.values[0]!r}")
    test = "CMD" if node.exec_form else "CMD-SHELL"
    interval, timeout, period, between = (_time(flags, name) for name in times)
    return kinds.Healthcheck(
        node, words, node.exec_form, test, interval, timeout, period, between, _retries(flags)
    )  # fmt: skip


def _time(flags: Flags, name: str) -> float:
    length = units.seconds(flags.text(name) or "0")
    if 0 < length < 0.001:  # noqa: PLR2004 - docker's engine counts in milliseconds
        raise ValueError(f"--{name} must be 1ms or longer, or 0")
    return length


def _retries(flags: Flags) -> int:
    text = flags.text("retries") or "0"
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"--retries takes a number from 0, not {text!r}")
    return int(text[:9])


def _one(node: Node) -> str:
    Flags(node)
    if len(node.values) != 1:
        raise ValueError(f"{node.keyword.upper()} takes one argument")
    return node.values[0]


def _some(node: Node) -> tuple[str, ...]:
    if not node.values:
        raise ValueError(f"{node.keyword.upper()} takes at least one argument")
    return node.values


def _setting(node: Node, kind: type[kinds.Setting]) -> kinds.Setting:
    return kind(node, _one(node))


def _expose(node: Node) -> kinds.Expose:
    Flags(node)
    return kinds.Expose(node, _some(node))


def _volume(node: Node) -> kinds.Volume:
    Flags(node)
    if not all(path.strip() for path in _some(node)):
        raise ValueError("VOLUME takes paths that are not empty")
    return kinds.Volume(node, node.values)


def _onbuild(node: Node) -> kinds.Onbuild:
    Flags(node)
    if node.child is None:
        raise ValueError("ONBUILD takes an instruction")
    if node.child.keyword.upper() in _NO_TRIGGER:
        raise ValueError(f"ONBUILD cannot trigger {node.child.keyword.upper()}")
    text = re.sub(r"(?i)^\s*ONBUILD\s*", "", node.original)
    text += "".join(f"\n{document.content}{document.name}" for document in node.child.heredocs)
    return kinds.Onbuild(node, read(node.child), text)


_READERS: dict[str, Callable[[Node], Instruction]] = {
    "ADD": _add,
    "ARG": _arg,
    "CMD": partial(_command, kind=kinds.Cmd),
    "COPY": _copy,
    "ENTRYPOINT": partial(_command, kind=kinds.Entrypoint),
    "ENV": lambda node: kinds.Env(node, _pairs(node)),
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "LABEL": lambda node: kinds.Label(node, _pairs(node)),
    "MAINTAINER": partial(_setting, kind=kinds.Maintainer),
    "ONBUILD": _onbuild,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": partial(_setting, kind=kinds.Stopsignal),
    "USER": partial(_setting, kind=kinds.User),
    "VOLUME": _volume,
    "WORKDIR": partial(_setting, kind=kinds.Workdir),
}
