"""The `exec` operation: a further process in the namespaces and cgroups of a container that runs."""

# pathlib stays out of the start path:
# ruff: noqa: PTH123

from __future__ import annotations

import json

from runtime.errors import RuntimeFault
from runtime.oci import config as configuration
from runtime.oci import init, launch, limits, record, signals, spaces
from runtime.oci.child import Child
from runtime.oci.create import listen, write_pid_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.config import Config
    from runtime.oci.options import Arguments
    from runtime.oci.record import Record
    from runtime.oci.report import Log
    from runtime.oci.terminal import Terminal

_CAP_SETS = ("bounding", "effective", "permitted")


def execute(arguments: Arguments, log: Log, terminal: Terminal) -> Child:
    """Start the process; returns it once its program runs."""
    held = record.find(arguments.root, arguments.id())
    status = held.status
    if status == "paused" and not arguments.flag("ignore-paused"):
        hint = "resume it, or use --ignore-paused: the process then stands still until that"
        raise RuntimeFault("cannot exec in a paused container", kind="usage", hint=hint)
    if status not in {"created", "running", "paused"}:
        hint = "only a created or running container takes further processes"
        raise RuntimeFault(f"cannot exec in a {status} container", kind="usage", hint=hint)
    config = held.config()
    process = wanted(arguments, config["process"])
    linux = config.get("linux") or {}
    fds = _open(held.pid, held)
    try:
        inner = {"seccomp": linux.get("seccomp"), "personality": linux.get("personality")}
        plan = {
            **launch.inside(),
            **launch.program(process, inner, log, mapped="user" in fds),
            "offsets": None,
            "join": launch.joining(fds),
            "mapped": "user" in fds,
            "keep": arguments.count("preserve-fds"),
        }
        terminal.prepare(plan)
        child = Child.fork(plan, 0, launch.elsewhere(fds), (_born_in(held), _joined(held)))
    finally:
        spaces.close(fds)
    try:
        _admit(arguments, held, child, plan)
    except BaseException:
        signals.send(child.pidfd, signals.KILL)
        child.__exit__()
        raise
    return child


def _admit(arguments: Arguments, held: Record, child: Child, plan: dict[str, Any]) -> None:
    child.go()
    limits.impose(child.pid, plan["limits"])
    child.permit(init.LIMITED)
    child.follow(held.id, [], lambda: None, lambda of: listen(plan, held, of))
    write_pid_file(arguments, child.pid)


def wanted(arguments: Arguments, process: Config) -> Config:
    """Return the process to start: from --process, or the container's own with what the options change."""
    path = arguments.text("process")
    found = _from_file(path) if path else _from_options(arguments, process)
    configuration.program(found)
    return found


def _from_file(path: str) -> Config:
    try:
        with open(path, encoding="utf-8") as file:
            found: Config = json.load(file)
    except OSError as err:
        raise RuntimeFault.from_os(err, f"read {path}") from err
    except (ValueError, RecursionError) as err:
        raise RuntimeFault(f"{path} is no JSON: {err}", kind="usage") from err
    return found


def _from_options(arguments: Arguments, process: Config) -> Config:
    if len(arguments.rest) < 2:  # noqa: PLR2004 - the id and a program
        raise RuntimeFault("process args cannot be empty", kind="usage", hint="name a program")
    found = {**process, "args": arguments.rest[1:], "terminal": arguments.flag("tty")}
    found["cwd"] = arguments.text("cwd") or process["cwd"]
    found["env"] = [*(process.get("env") or ()), *arguments.many("env")]
    user = dict(process.get("user") or {})
    if arguments.text("user"):
        user = {**_user(arguments.text("user")), "umask": user.get("umask")}
    if arguments.many("additional-gids"):
        user["additionalGids"] = [
            _number("additional-gids", text) for text in arguments.many("additional-gids")
        ]
    found["user"] = user
    if arguments.many("cap"):
        sets = dict(process.get("capabilities") or {})
        for name in _CAP_SETS:
            sets[name] = [*(sets.get(name) or ()), *arguments.many("cap")]
        found["capabilities"] = sets
    if arguments.text("apparmor"):
        found["apparmorProfile"] = arguments.text("apparmor")
    if "no-new-privs" in arguments.given:
        found["noNewPrivileges"] = arguments.flag("no-new-privs")
    return found


def _user(text: str) -> dict[str, Any]:
    uid, colon, gid = text.partition(":")
    return {"uid": _number("user", uid), "gid": _number("user", gid) if colon else 0}


def _number(option: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise RuntimeFault(
            f"--{option} takes numbers, not {text!r}", kind="usage", hint="for example 1000:1000"
        )
    return int(text)


def _open(pid: int, held: Record) -> dict[str, int]:
    kinds = spaces.differing(pid)
    fds = spaces.open_all({kind: spaces.path(pid, kind) for kind in kinds})
    if held.pid != pid:  # it ended in between, and its number may be another's by now
        spaces.close(fds)
        raise RuntimeFault(f"cannot exec in a stopped container: {held.id}", kind="usage")
    return fds


def _joined(held: Record) -> list[str]:
    born_in = _born_in(held)
    return [path for path in held.state["cgroups"] if path != born_in]


def _born_in(held: Record) -> str | None:
    spots = held.state["group"]["spots"].values()
    return next((directory for version, directory in spots if version != 1), None)
