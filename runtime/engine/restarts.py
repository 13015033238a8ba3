"""Whether a container that has ended starts again, and after what pause: docker's restart policies."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.engine.documents import Document

_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY = 0.1, 60.0, 10.0  # seconds, as docker's restart manager has them
_ALWAYS = ("always", "unless-stopped")


class Restarts:
    """The policy of one container, docker's RestartPolicy, and how long the next pause is."""

    def __init__(self, policy: Document) -> None:
        self._policy, self._pause = policy, _FIRST_PAUSE

    def again(self, state: Document) -> bool:
        """Whether it starts again after it has ended as `state` says."""
        policy = self._policy
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
