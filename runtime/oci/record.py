"""What is on record about one container, and what its status is: ROOT/ID/{state.json,config.json,exec.fifo}.

The status is never written down: it is derived from the first process, the fifo and the freezer, so that a
killed command leaves none that is false.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH108, PTH123, PTH208

from __future__ import annotations

import errno
import os

from runtime.errors import RuntimeFault
from runtime.linux.processes import alive, start_time
from runtime.process import lean_json, reclaim, removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroups.oci import Group

FIFO, OUTCOME = "exec.fifo", "hooks.fifo"
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")


class Record:
    """One container on record; `state` is the content of its state.json."""

    def __init__(self, directory: str, state: dict[str, Any]) -> None:
        self.directory, self.state = directory, state
        self._config: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """Name of the container."""
        return str(self.state["id"])

    @property
    def fifo(self) -> str:
        """The fifo on which a created container waits for `start`."""
        return f"{self.directory}/{FIFO}"

    @property
    def outcome(self) -> str:
        """The fifo on which the first process tells `start` how its startContainer hooks ended."""
        return f"{self.directory}/{OUTCOME}"

    @property
    def pid(self) -> int:
        """Host's number of the first process, 0 when it has ended or was never made."""
        init = self.state["init"]
        return int(init["pid"]) if init and alive(init["pid"], init["start"]) else 0

    def config(self) -> dict[str, Any]:
        """Return the config.json that it was created from: later changes of the bundle do not count."""
        if self._config is None:
            with open(f"{self.directory}/config.json", encoding="utf-8") as file:
                self._config = lean_json.loads(file.read())
        return self._config

    def remember(self, config: dict[str, Any]) -> None:
        """Spare reading again what has just been read."""
        self._config = config

    def save(self) -> None:
        """Write state.json in one step."""
        reclaim.record(self.directory, self.state)

    @property
    def status(self) -> str:
        """Return creating, created, running, paused or stopped (runtime.md, State)."""
        owner = self.state["owner"]
        if owner and alive(owner["pid"], owner["start"]):
            return "creating"
        if not self.pid:
            return "stopped"
        if self.waits():
            return "created"
        from runtime.cgroups import freezer  # noqa: PLC0415 - the start path does without

        return "paused" if freezer.frozen(self.group) else "running"

    @property
    def group(self) -> Group:
        """Return its cgroup, as planned when it was created."""
        from runtime.cgroups.oci import Group  # noqa: PLC0415 - what only reads records does without

        return Group.read(self.state["group"])

    def waits(self) -> bool:
        """Whether the first process waits for `start`: it alone holds the fifo open for reading."""
        try:
            os.close(os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as err:
            if err.errno in {errno.ENXIO, errno.ENOENT}:
                return False
            raise
        return True

    def release(self) -> None:
        """Let the first process go on; a fault when it does not wait any more."""
        try:
            fd = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as err:
            if err.errno in {errno.ENXIO, errno.ENOENT}:
                status = self.status
                raise RuntimeFault(
                    f"cannot start a container that is {status}", kind="usage", hint="create it anew"
                ) from err
            raise
        try:
            outcome = self._listen()
            os.write(fd, b"0")
            os.unlink(self.fifo)
        finally:
            os.close(fd)
        if outcome is not None:
            self._await_hooks(outcome)

    def _listen(self) -> int | None:
        try:
            fd = os.open(self.outcome, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        os.set_blocking(fd, True)
        return fd

    def _await_hooks(self, fd: int) -> None:
        """Wait for the end of the hooks, or of the process that runs them; a fault if they failed."""
        try:
            said = os.read(fd, 1 << 16)
            os.unlink(self.outcome)
        finally:
            os.close(fd)
        if said != b"0":
            text = said.decode(errors="replace") or "the container ended during its startContainer hooks"
            raise RuntimeFault(text)


def directory(root: str, name: str) -> str:
    """Return where the record of `name` is; a usage fault for what can't be a name (runc's rules)."""
    if not name or len(name) > 1024 or name in {".", ".."} or not set(name) <= _LETTERS:  # noqa: PLR2004
        hint = "use letters, digits, '_', '+', '-' and '.'"
        raise RuntimeFault(f"invalid container id {name!r}", kind="usage", hint=hint)
    return f"{os.path.abspath(root)}/{name}"  # noqa: PTH100


def claim(root: str, name: str, state: dict[str, Any], config: bytes) -> Record:
    """Put a new container on record, owned by this process until it is created."""
    where = directory(root, name)
    me = {"pid": os.getpid(), "start": start_time(os.getpid())}
    full = {"id": name, "kind": "oci", "owner": me, "init": None, "cgroups": [], "parents": [],
            "directories": [], **state}  # fmt: skip
    try:
        reclaim.claim(where, full)
    except OSError as err:
        if err.errno == errno.EEXIST:
            raise _taken(name) from err
        fault = RuntimeFault.from_os(err, f"put {name} on record in {root}")
        if err.errno == errno.EACCES:
            fault.hint = "name a directory of yours with --root, or set XDG_RUNTIME_DIR to one"
        raise fault from err
    fd = os.open(f"{where}/config.json", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, config)
    finally:
        os.close(fd)
    return Record(where, full)


def refuse_taken(root: str, name: str) -> None:
    """Fault when there is a container of this name, before anything else is found wrong."""
    if os.path.lexists(directory(root, name)):
        raise _taken(name)


def _taken(name: str) -> RuntimeFault:
    hint = f"remove it first: tare-oci delete {name}"
    return RuntimeFault(f"container with id exists: {name}", kind="usage", hint=hint)


def find(root: str, name: str) -> Record:
    """Return the record of `name`; faults of kind missing and corrupt."""
    where = directory(root, name)
    try:
        with open(f"{where}/state.json", encoding="utf-8") as file:
            state = lean_json.loads(file.read())
        _check(state)
    except (FileNotFoundError, NotADirectoryError):
        hint = f"tare-oci --root {root} list shows what there is"
        raise RuntimeFault(f"container {name!r} does not exist", kind="missing", hint=hint) from None
    except (ValueError, KeyError, TypeError) as err:
        raise RuntimeFault(f"the record {where}/state.json is damaged", kind="corrupt") from err
    return Record(where, state)


def _check(state: Any) -> None:  # noqa: ANN401 - it may be anything
    """KeyError, TypeError or ValueError unless everything is there that `delete` acts on."""
    for key in ("init", "owner"):
        if state[key] is not None:
            int(state[key]["pid"]), int(state[key]["start"])
    for key in ("cgroups", "parents", "directories"):
        if not all(isinstance(path, str) and path.startswith("/") for path in state[key]):
            raise ValueError(key)
    str(state["id"]), state["bundle"], state["created"]


def everything(root: str) -> list[Record]:
    """Return all containers on record below `root`, oldest first; what is damaged is left out."""
    found = []
    for name in _names(root):
        try:
            found.append(find(root, name))
        except RuntimeFault:
            continue
    return sorted(found, key=lambda record: str(record.state["created"]))


def sweep(root: str) -> None:
    """Remove the drafts of records whose makers died before they had finished them."""
    for name in _names(root):
        pid, _, rest = name.removeprefix(reclaim.DRAFT).partition("-")
        start = rest.partition("-")[0]
        known = name.startswith(reclaim.DRAFT) and pid.isdigit() and start.isdigit()
        if known and not alive(int(pid), int(start)):
            removal.remove_tree(f"{root}/{name}")


def _names(root: str) -> list[str]:
    try:
        return os.listdir(root)
    except FileNotFoundError:
        return []
