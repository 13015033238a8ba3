"""What the options of `tare image build` mean: texts to values, and docker's that Tare does not have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.errors import RuntimeFault
from runtime.image.platform import host_platform

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIMITS = "a RUN has no limits of its own; limit the whole build with `systemd-run --scope`"
_SANDBOX = "a RUN has docker's default confinement, and no other"
_ATTESTED = "Tare makes no attestations; `--metadata-file` tells what was made"
_ALWAYS = "leave it out: that is how Tare builds"
LACKING = {
    "--allow": _SANDBOX,
    "--annotation": "use --label",
    "--attest": _ATTESTED,
    "--build-context": "name an image of the store, or a stage, with --from",
    "--builder": "there is one builder: this process",
    "--call": "leave it out, and the image is built",
    "--cgroup-parent": _LIMITS,
    "--check": "leave it out: what a Dockerfile has wrong is told before anything is run",
    "--compress": "the context is read where it lies, and nothing is sent",
    "--cpu-period": _LIMITS,
    "--cpu-quota": _LIMITS,
    "--cpu-shares": _LIMITS,
    "-c": _LIMITS,
    "--cpuset-cpus": _LIMITS,
    "--cpuset-mems": _LIMITS,
    "--debug": "there is no debugger here; `--target` builds up to a stage",
    "-D": "there is no debugger here; `--target` builds up to a stage",
    "--disable-content-trust": "leave it out: no signatures are asked for",
    "--force-rm": _ALWAYS,
    "--isolation": _SANDBOX,
    "--load": _ALWAYS,
    "--memory": _LIMITS,
    "-m": _LIMITS,
    "--memory-swap": _LIMITS,
    "--policy": "there are no policies here",
    "--provenance": _ATTESTED,
    "--push": "push the image afterwards",
    "--rm": _ALWAYS,
    "--sbom": _ATTESTED,
    "--security-opt": _SANDBOX,
    "--shm-size": _LIMITS,
    "--squash": "`--output type=tar` gives the whole tree as one",
    "--ulimit": _LIMITS,
}  # fmt: skip


class Command(click.Command):
    """A command that knows docker's options, and refuses by name those that it doesn't have."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does; a usage fault says what to do instead of an option of docker's."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as err:
            if err.option_name not in LACKING:
                raise
            text = f"{err.option_name} of docker build is not supported"
            raise RuntimeFault(text, kind="usage", hint=LACKING[err.option_name]) from err


def arguments(texts: tuple[str, ...]) -> dict[str, str]:
    """Read NAME=VALUE; a bare NAME takes the value that it has in our environment, if it has one."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if equals:
            found[name] = value
        elif name in os.environ:
            found[name] = os.environ[name]
    return found


def labels(texts: tuple[str, ...]) -> Mapping[str, str]:
    """Read NAME=VALUE; a bare NAME is a label without value."""
    found = dict(text.partition("=")[::2] for text in texts)
    if "" in found:
        raise RuntimeFault("--label: a label needs a name", kind="usage", hint="write --label NAME=VALUE")
    return found


def hosts(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Read NAME:ADDRESS or NAME=ADDRESS, an IPv6 address also in brackets; as (name, address)."""
    return tuple(map(_host, texts))


def _host(text: str) -> tuple[str, str]:
    import ipaddress  # noqa: PLC0415 - for few builds

    name, separator, address = text.partition("=") if "=" in text else text.partition(":")
    address = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    hint = "write --add-host NAME:ADDRESS, for example db:10.0.0.7"
    if not name or not separator or any(letter.isspace() for letter in name):
        raise RuntimeFault(f"--add-host {text}: no name", kind="usage", hint=hint)
    try:
        return name, str(ipaddress.ip_address(address))
    except ValueError as err:
        raise RuntimeFault(f"--add-host {text}: {err}", kind="usage", hint=hint) from err


def platform(text: str) -> str:
    """Return this machine's platform; a host fault refuses any other."""
    host = host_platform()
    own = f"{host.os}/{host.architecture}"
    if text and text.lower() != own:
        hint = f"this machine builds {own}: leave --platform out"
        raise RuntimeFault(f"--platform {text} cannot be built here", kind="host", hint=hint)
    return own


def stages(texts: tuple[str, ...]) -> frozenset[str]:
    """Read the stage names of --no-cache-filter, separated by commas."""
    return frozenset(name.lower() for text in texts for name in text.split(",") if name)


def secret(text: str) -> tuple[str, bytes]:
    """Read a secret's id and value: from a file, or from a variable, by default the one of that name."""
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    name = fields.pop("id", "")
    file = fields.pop("src", None) or fields.pop("source", None)
    variable = fields.pop("env", None) or name
    fields.pop("type", None)
    if not name or fields:
        raise RuntimeFault(f"--secret {text}: write id=ID,src=FILE or id=ID,env=NAME", kind="usage")
    if file:
        return name, _content(file)
    if variable not in os.environ:
        raise RuntimeFault(f"--secret {name}: there is no variable {variable}", kind="usage")
    return name, os.environb[os.fsencode(variable)]


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as err:
        reason = (err.strerror or str(err)).lower()
        raise RuntimeFault(f"--secret: cannot read {file}: {reason}", kind="usage", hint="see src=") from err


def agent(text: str) -> tuple[str, str]:
    """Read an ssh-agent's id and the path of its socket, by default the one of this environment."""
    name, _, path = text.partition("=")
    path = path or os.environ.get("SSH_AUTH_SOCK", "")
    if not name or not path:
        hint = "start ssh-agent, or write --ssh ID=SOCKET"
        raise RuntimeFault(f"--ssh {text}: there is no SSH_AUTH_SOCK", kind="usage", hint=hint)
    if not Path(path).is_socket():
        hint = "a key goes into an agent: ssh-add KEY"
        raise RuntimeFault(f"--ssh {text}: {path} is no agent's socket", kind="usage", hint=hint)
    return name, str(Path(path).absolute())


def directory(option: str, key: str, text: str) -> Path:
    """Read `type=local` and the directory of a cache; a usage fault names what is not supported."""
    hint = f"write {option} type=local,{key}=DIR"
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    kind, place = fields.pop("type", ""), fields.pop(key, "")
    if kind != "local":
        raise RuntimeFault(f"{option} {text}: type={kind} is not supported", kind="usage", hint=hint)
    if fields.pop("mode", "max") != "max" or fields:
        first = next(iter(fields), "mode")
        raise RuntimeFault(f"{option} {text}: {first} is not supported", kind="usage", hint=hint)
    if not place:
        raise RuntimeFault(f"{option} {text}: no {key}", kind="usage", hint=hint)
    return Path(place)


def epoch(given: Mapping[str, str]) -> int | None:
    """Return SOURCE_DATE_EPOCH, None if it is not set: a --build-arg, else a variable of our environment."""
    text = given.get("SOURCE_DATE_EPOCH", os.environ.get("SOURCE_DATE_EPOCH", ""))
    if text and not (text.isascii() and text.isdecimal()):
        raise RuntimeFault(f"SOURCE_DATE_EPOCH={text} is no number of seconds", kind="usage")
    return int(text) if text else None
