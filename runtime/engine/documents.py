"""What is on disk about a container, in docker's words: container.json is its plan, state.json its life.

container.json is written once, by whoever creates it, and changed by `update` and `rename`; state.json has
one writer, the keeper. Both are replaced in one step, so a reader sees the old or the new one.
"""

# pathlib and its imports stay out of the keeper:
# ruff: noqa: SIM105, PTH103, PTH104, PTH108, PTH110, PTH115, PTH123, PTH208, PTH211

from __future__ import annotations

import fcntl
import os
import time

from runtime.errors import RuntimeFault
from runtime.process import lean_json
from runtime.process.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.places import Places

    Document = dict[str, Any]

NEVER = "0001-01-01T00:00:00Z"


def now() -> str:
    """Return the time as docker writes it: RFC 3339 with nanoseconds, in UTC."""
    nanoseconds = time.time_ns()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
    return f"{whole}.{nanoseconds % 1_000_000_000:09d}Z"


def fresh_state() -> Document:
    """Return the state of a container that has never run."""
    return {
        "Status": "created", "Running": False, "Paused": False, "Restarting": False, "OOMKilled": False,
        "Dead": False, "Pid": 0, "ExitCode": 0, "Error": "", "StartedAt": NEVER, "FinishedAt": NEVER,
        "RestartCount": 0, "Start": 0, "Keeper": None, "Network": None, "Stopped": False,
    }  # fmt: skip


def read(path: str) -> Document:
    """Return a document; a fault of kind missing or corrupt."""
    try:
        with open(path, encoding="utf-8") as file:
            found = lean_json.loads(file.read())
    except (FileNotFoundError, NotADirectoryError) as err:
        raise RuntimeFault(f"{path} does not exist", kind="missing") from err
    except ValueError as err:
        hint = "`tare container rm --force` removes the container"
        raise RuntimeFault(f"{path} is damaged: {err}", kind="corrupt", hint=hint) from err
    if not isinstance(found, dict):
        raise RuntimeFault(f"{path} is damaged: it holds no object", kind="corrupt")
    return found


def write(path: str, document: Document) -> None:
    """Replace a document in one step; OSError."""
    _replace(path, lean_json.dumps(document))


def _replace(path: str, text: str) -> None:
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(draft, path)


def plan(places: Places, container: str) -> Document:
    """Return container.json of a full id."""
    return read(f"{places.of(container)}/container.json")


def complete(places: Places, container: str) -> bool:
    """Whether a container was made to its end: its plan is the last that is written."""
    return os.path.exists(f"{places.of(container)}/container.json")


def state(places: Places, container: str) -> Document:
    """Return state.json of a full id."""
    return read(f"{places.of(container)}/state.json")


def write_state(places: Places, container: str, text: str) -> None:
    """Replace state.json by JSON text; nothing happens when the container has been removed meanwhile."""
    try:
        _replace(f"{places.of(container)}/state.json", text)
    except FileNotFoundError:
        return


def claim(places: Places, name: str, container: str) -> None:
    """Give a name to an id; a usage fault when another container has it."""
    os.makedirs(places.names, mode=0o711, exist_ok=True)
    try:
        os.symlink(container, f"{places.names}/{name}")
    except FileExistsError as err:
        holder = os.readlink(f"{places.names}/{name}")
        if holder == container:
            return
        if abandoned(places, holder):
            remove(places, holder)
            claim(places, name, container)
            return
        hint = f"remove it with `tare container rm {name}`, or choose another --name"
        raise RuntimeFault(
            f"the container name {name} is in use by {holder[:12]}", kind="usage", hint=hint
        ) from err


class Work:
    """A lock on a container's directory, held by whoever makes it: it ends with the process."""

    def __init__(self, directory: str) -> None:
        self._fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def working_on(places: Places, container: str) -> Work:
    """Return a context in which nobody takes the container, which is not complete yet, for abandoned."""
    return Work(places.of(container))


def abandoned(places: Places, container: str) -> bool:
    """Whether a container is incomplete, and whoever was making or removing it has died."""
    if complete(places, container):
        return False
    try:
        fd = os.open(places.of(container), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return not complete(places, container)


def sweep(places: Places) -> list[str]:
    """Remove what is abandoned, names that lead nowhere too; returns the ids."""
    try:
        found = os.listdir(places.containers)
    except FileNotFoundError:
        found = []
    left = [container for container in found if abandoned(places, container)]
    for container in left:
        remove(places, container)
    for name in names(places):
        path = f"{places.names}/{name}"
        if not os.path.exists(places.of(os.readlink(path))):
            os.unlink(path)
    return left


def everything(places: Places) -> list[str]:
    """Return the full ids of all containers, oldest first; a half-made one is left out."""
    try:
        found = os.listdir(places.containers)
    except FileNotFoundError:
        return []
    ages = {}
    for name in found:
        try:
            ages[name] = str(plan(places, name)["Created"])
        except (OSError, RuntimeFault, KeyError):
            continue
    return sorted(ages, key=lambda name: ages[name])


def resolve(places: Places, text: str) -> str:
    """Return the full id behind a name, an id, or the beginning of one; a fault of kind missing or usage."""
    try:
        if text and "/" not in text:
            return os.readlink(f"{places.names}/{text}")
    except OSError:
        pass
    matching = [name for name in everything(places) if text and name.startswith(text)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise RuntimeFault(f"{text} is the beginning of several ids", kind="usage", hint="write more of it")
    known = ", ".join(names(places)) or "none"
    raise RuntimeFault(f"there is no container {text}", kind="missing", hint=f"known: {known}")


def names(places: Places) -> list[str]:
    """Return the names of all containers, in order."""
    try:
        return sorted(os.listdir(places.names))
    except FileNotFoundError:
        return []


def remove(places: Places, container: str) -> None:
    """Delete everything on disk about a container.

    Its plan goes first: whatever is left if we are killed is incomplete, and so taken for what it is.
    """
    directory = places.of(container)
    try:
        called = str(read(f"{directory}/container.json")["Name"]).removeprefix("/")
    except (RuntimeFault, KeyError):
        called = ""
    try:
        os.unlink(f"{directory}/container.json")
    except OSError:
        pass
    for name in [called] if called else names(places):
        path = f"{places.names}/{name}"
        try:
            if os.readlink(path) == container:
                os.unlink(path)
        except OSError:
            continue
    remove_tree(directory)
