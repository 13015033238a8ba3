"""`tare-oci`: the command line that podman, docker and containerd expect of a runtime.

Verbs, options, output and exit codes follow runc 1.1 and the OCI runtime specification (runtime.md). Only the
verb that is asked for is imported.
"""

from __future__ import annotations

import os
import sys

from runtime.errors import RuntimeFault
from runtime.linux import userns
from runtime.oci.options import Arguments, Options
from runtime.oci.report import Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Verb(Protocol):
        """What a module of `runtime.oci.verbs` has."""

        USAGE: str
        OPTIONS: str
        MIXED: bool

        def run(self, arguments: Arguments, log: Log) -> int:
            """Do it; returns the exit code."""


SPECIFICATION = "1.2.0"
VERBS = {
    "create": "create a container",
    "start": "run the program of a created container",
    "state": "print the state of a container",
    "kill": "send a signal to a container",
    "delete": "remove a container",
    "run": "create, start and remove a container",
    "exec": "run a further process in a container",
    "list": "list the containers",
    "ps": "list the processes of a container",
    "pause": "suspend all processes of a container",
    "resume": "let them go on",
    "update": "change the limits of a container",
    "spec": "write a config.json to start from",
    "features": "print what this runtime knows",
    "events": "print figures of a container",
}
_MANY = 1 << 20
_MOST = {"kill": 2, "exec": _MANY, "ps": _MANY, "list": 0, "spec": 0, "features": 0}  # arguments; 1 of others
OPTIONS = Options("""
    root TEXT DIR where records are (default /run/tare-oci)
    log TEXT FILE to which messages go too
    log-format TEXT text or json
    debug FLAG say more
    cgroup-manager TEXT cgroupfs, or systemd where that runs
    systemd-cgroup FLAG the same as --cgroup-manager systemd
    rootless TEXT true, false or auto
    criu TEXT ignored, as in runc
    version,v FLAG print the version
    help,h FLAG print this
""")


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit code, 1 for every failure of the runtime itself, as runc 255 of exec."""
    log, failed = Log(), 1
    try:
        common, rest = OPTIONS.parse(sys.argv[1:] if argv is None else argv, mixed=False)
        log = Log.of(Arguments(common, {}, []))
        if common.get("version"):
            return _say(_version())
        if not rest or common.get("help") or rest[0] == "help":
            return _say(_help())
        failed = 255 if rest[0] == "exec" else 1
        return _dispatch(common, rest, log)
    except RuntimeFault as err:
        log.error(str(err), err.hint)
    except OSError as err:
        log.error(str(RuntimeFault.from_os(err, f"use {err.filename}" if err.filename else "finish")))
    except KeyboardInterrupt:
        log.error("interrupted")
        return 130
    return failed


def _dispatch(common: dict[str, str | bool | list[str]], words: list[str], log: Log) -> int:
    name, *rest = words
    if name not in VERBS:
        hint = f"the verbs are {', '.join(VERBS)}"
        raise RuntimeFault(f"{name} is not a verb of tare-oci", kind="usage", hint=hint)
    verb: Verb = _load(name)
    options = Options(verb.OPTIONS + "\n help,h FLAG print this")
    given, rest = options.parse(rest, mixed=verb.MIXED)
    if given.get("help"):
        return _say(f"usage: tare-oci {name} {verb.USAGE}\n\n{VERBS[name]}\n\n{options.help()}")
    if len(rest) > _MOST.get(name, 1):
        hint = f"usage: tare-oci {name} {verb.USAGE}"
        raise RuntimeFault(f"{name} does not take {' '.join(rest)}", kind="usage", hint=hint)
    arguments = Arguments({"root": _default_root(), **common}, given, rest)
    _check_manager(arguments)
    return verb.run(arguments, log)


def _load(name: str) -> Verb:
    module = f"runtime.oci.verbs.{name}"
    __import__(module)
    return sys.modules[module]


def _default_root() -> str:
    private = os.environ.get("XDG_RUNTIME_DIR", "")
    return f"{private}/tare-oci" if private and not userns.privileged() else "/run/tare-oci"


def _check_manager(arguments: Arguments) -> None:
    manager = arguments.text("cgroup-manager", "cgroupfs")
    if manager not in {"cgroupfs", "systemd", "disabled"}:
        raise RuntimeFault(f"--cgroup-manager {manager} is unknown", kind="usage", hint="use cgroupfs")
    if manager == "systemd" or arguments.flag("systemd-cgroup"):
        runs = os.path.isdir("/run/systemd/system")  # noqa: PTH112 - the start path is lean
        why = "tare-oci makes its cgroups itself" if runs else "it does not run here"
        hint = "use --cgroup-manager cgroupfs"
        raise RuntimeFault(f"cgroups can't be made by systemd: {why}", kind="host", hint=hint)
    if manager == "disabled":
        raise RuntimeFault("--cgroup-manager disabled is not offered", kind="usage", hint="use cgroupfs")


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0


def _help() -> str:
    verbs = "\n".join(f"  {name:<10}{text}" for name, text in VERBS.items())
    return f"usage: tare-oci [option …] VERB [option …] [ID …]\n\n{verbs}\n\n{OPTIONS.help()}"


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - costs more than a start

    try:
        own = version("tare")
    except PackageNotFoundError:
        own = "unknown"
    return f"tare-oci version {own}\nspec: {SPECIFICATION}"


if __name__ == "__main__":
    sys.exit(main())
