"""The floor: compile floor.c, and write for it, as a plan, the very request that Tare's spawner would get."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.container.request import Request

_SOURCE = Path(__file__).with_name("floor.c")
_PLAIN = ("private", "mount", "link", "mask", "readonly")


def build(folder: Path) -> Path:
    """Compile the program into `folder`; CalledProcessError with the compiler's words when it can't."""
    program = folder / "floor"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(_SOURCE)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return program


def write_plan(wanted: Request, path: Path) -> Path:
    """Write the plan of `wanted` to `path`, a verb and its arguments a line, separated by tabs."""
    mounts = [step.wire() for step in wanted.steps]
    lines = [*_parent(wanted), *_child(wanted), *_mounts(mounts, Path(wanted.message["place"]))]
    for fields in lines:
        if any(mark in field for field in fields for mark in "\t\n"):
            raise ValueError(f"a plan can't hold {fields}")
    path.write_text("".join("\t".join(fields) + "\n" for fields in lines))
    return path


def _parent(wanted: Request) -> Iterator[tuple[str, ...]]:
    message, (make, steps, joined) = wanted.message, wanted.ground
    for verb, *arguments in steps:
        if verb not in {"mkdir", "write", "try"}:
            raise ValueError(f"the floor has no {verb}")
        yield verb, *arguments
    seen: dict[str, None] = {}
    for place in make:
        seen.update(dict.fromkeys((str(Path(place).parent), place)))
    yield from (("mkdir", place) for place in seen)
    yield from (("join", group) for group in joined)
    if message["born_in"]:
        yield "born_in", message["born_in"]
    yield from (("rmdir", group) for group in message["state"]["cgroups"])
    yield from (("remove", place) for place in message["state"]["directories"])


def _child(wanted: Request) -> Iterator[tuple[str, ...]]:
    launch = {**wanted.launch, "hostname": wanted.message["hostname"]}
    for name in ("clone", "unshare", "caps"):
        yield name, str(launch[name])
    yield "lo", str(int(launch["lo"]))
    yield from ((name, launch[name]) for name in ("hostname", "cwd"))
    yield from (("arg", text) for text in launch["args"])
    yield from (("env", f"{key}={text}") for key, text in launch["env"].items())


def _mounts(steps: list[list[Any]], place: Path) -> Iterator[tuple[str, ...]]:
    holds: dict[str, int] = {}
    for verb, *arguments in steps:
        if verb == "overlay":
            layers, *places = arguments
            yield verb, *(str(place / one) for one in places), *reversed(layers)
        elif verb == "pivot":
            yield verb, str(place / arguments[0])
        elif verb == "hold":
            holds[arguments[0]] = len(holds)
            yield verb, arguments[0], str(int(arguments[1]))
        elif verb == "device":
            yield "bind", str(holds[arguments[0]]), arguments[0]
        elif verb in _PLAIN:
            yield verb, *map(str, arguments)
        else:
            raise ValueError(f"the floor has no {verb}")
