"""Whether a container that has ended starts again, and after what pause: docker's restart policies."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.engine.documents import Document

_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY = 0.1, 60.0, 10.0  # seconds, as docker's restart manager has them
_ALWAYS = ("always", "unless-stopped")


class Restarts:
    """How long the next pause of one container is."""

    __slots__ = ("_pause",)

    def __init__(self) -> None:
        self._pause = _FIRST_PAUSE

    @staticmethod
    def again(policy: Document, state: Document) -> bool:
        """Whether `policy`, docker's RestartPolicy, starts it again after it has ended as `state` says."""
        if state["Stopped"] or state["Status"] == "created":
            return False
        if policy["Name"] == "on-failure":
            most = policy["MaximumRetryCount"]
            return state["ExitCode"] != 0 and (not most or state["RestartCount"] < most)
        return policy["Name"] in _ALWAYS

    def pause(self, ran: float) -> float:
        """Return the seconds to wait after it ran for `ran`; they double until a run was steady."""
        self._pause = _FIRST_PAUSE if ran >= _STEADY else min(self._pause * 2, _LONGEST_PAUSE)
        return self._pause
