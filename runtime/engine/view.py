"""Containers as people and programs see them: docker's inspect document, and a line of its ps."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runtime.engine import documents
from runtime.errors import RuntimeFault
from runtime.linux.processes import alive
from runtime.oci import record

if TYPE_CHECKING:
    from runtime.engine.places import Places

_STATE = (
    "Status", "Running", "Paused", "Restarting", "OOMKilled", "Dead", "Pid", "ExitCode", "Error", "StartedAt",
    "FinishedAt",
)  # fmt: skip
_STEPS = ((86400 * 2, 86400, "days"), (7200, 3600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))


def state(places: Places, container: str) -> dict[str, Any]:
    """Return the state as it is: paused is what the freezer says; what the kernel has not does not run."""
    found = documents.state(places, container)
    if not found["Pid"]:
        return found
    if not alive(found["Pid"], found["Start"]):
        return {**found, "Status": "exited", "Running": False, "Pid": 0}
    try:
        paused = record.find(places.oci, container).status == "paused"
    except RuntimeFault:  # it is being taken down
        paused = False
    return {**found, "Status": "paused", "Paused": True} if paused else found


def inspect(places: Places, container: str) -> dict[str, Any]:
    """Return what `docker inspect` shows of a container."""
    plan, now = documents.plan(places, container), state(places, container)
    shown = {key: value for key, value in plan.items() if key not in {"Layers", "Published", "ExtraHosts"}}
    mode = plan["HostConfig"]["NetworkMode"]
    settings = {"Bridge": "", "Ports": {}, "Gateway": "", "IPAddress": "", "IPPrefixLen": 0, "MacAddress": ""}
    if now["Running"]:
        settings.update(now["Network"] or {})
    networks = {key: settings[key] for key in ("Gateway", "IPAddress", "IPPrefixLen", "MacAddress")}
    return {
        **shown, "State": {key: now[key] for key in _STATE}, "RestartCount": now["RestartCount"],
        "NetworkSettings": {**settings, "Networks": {mode: networks}},
    }  # fmt: skip


def status(now: dict[str, Any]) -> str:
    """Return the words of ps: "Up 3 minutes", "Exited (0) 2 hours ago", "Created"."""
    if now["Running"]:
        return f"Up {age(now['StartedAt'])}" + (" (Paused)" if now["Paused"] else "")
    if now["Status"] == "restarting":
        return f"Restarting ({now['ExitCode']}) {age(now['FinishedAt'])} ago"
    if now["StartedAt"] == documents.NEVER:
        return "Created"
    return f"Exited ({now['ExitCode']}) {age(now['FinishedAt'])} ago"


def age(moment: str) -> str:
    """Return how long ago a time of ours was, in the largest unit of which there are two."""
    seconds = max(0.0, time.time() - seconds_of(moment))
    least, length, unit = next(step for step in _STEPS if seconds >= step[0])
    del least
    return f"{int(seconds // length)} {unit}"


def seconds_of(moment: str) -> float:
    """Return a time of ours, RFC 3339 with nanoseconds in UTC, as seconds since 1970."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
