"""What several verbs do to a container: hooks at their stages, its state for others, its end."""

from __future__ import annotations

from runtime.cgroups import tree
from runtime.errors import RuntimeFault
from runtime.process import reclaim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.config import Config
    from runtime.oci.record import Record
    from runtime.oci.report import Log

SPECIFICATION = "1.2.0"


def state(record: Record, status: str = "") -> dict[str, Any]:
    """Return the state of a container (runtime.md, State); `status` where the caller knows better."""
    now = status or record.status
    found = {
        "ociVersion": SPECIFICATION, "id": record.id, "status": now, "bundle": record.state["bundle"],
        "annotations": record.state["annotations"],
    }  # fmt: skip
    pid = record.pid
    return {**found, "pid": pid if now != "stopped" else 0}


class Hooks:
    """The hooks of one container, run by the runtime in its own namespaces (config.md, Hooks)."""

    def __init__(self, config: Config, record: Record, log: Log) -> None:
        self._hooks = config.get("hooks") or {}
        self._record, self._log = record, log

    def create(self) -> None:
        """Run prestart and createRuntime; the first that fails ends the creation."""
        for where in ("prestart", "createRuntime"):
            self._run(where, "creating")

    def started(self) -> None:
        """Run poststart: a failure is a warning (runtime.md, Lifecycle, step 9)."""
        self._run("poststart", "running")

    def stopped(self) -> None:
        """Run poststop: a failure is a warning (runtime.md, Lifecycle, step 13)."""
        self._run("poststop", "stopped")

    def _run(self, where: str, status: str) -> None:
        wanted = self._hooks.get(where)
        if wanted:
            from runtime.oci import hooks  # noqa: PLC0415 - most containers have none

            for warning in hooks.run(wanted, state(self._record, status), where=where):
                self._log.remark(warning)


def discard(record: Record, log: Log) -> None:
    """Remove a container that never came to be; what resists is left on record for `delete -f`."""
    try:
        delete(record, log)
    except RuntimeFault as err:
        log.remark(f"{err}")


def delete(record: Record, log: Log) -> None:
    """Remove a container for good, then run its poststop hooks; a fault for what resists."""
    try:
        hooks = Hooks(record.config(), record, log)
    except (OSError, ValueError):  # it was killed before its config.json was on record
        hooks = Hooks({}, record, log)
    try:
        reclaim.reclaim(record.directory, record.state)
        tree.remove_empty(reversed(record.state["parents"]))
    except OSError as err:
        raise RuntimeFault.from_os(err, f"remove {record.id} ({err.filename})") from err
    hooks.stopped()
