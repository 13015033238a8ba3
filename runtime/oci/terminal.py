"""Where the master of a container's terminal goes: to --console-socket, or to the user's own terminal."""

from __future__ import annotations

from runtime.errors import RuntimeFault
from runtime.oci import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    from runtime.oci.child import Child
    from runtime.oci.options import Arguments


class Terminal:
    """What process.terminal and the command line say together; `detached` is a process that is left alone."""

    def __init__(self, arguments: Arguments, *, detached: bool) -> None:
        self._path, self._detached = arguments.text("console-socket"), detached
        self._ours: socket.socket | None = None

    def prepare(self, launch: dict[str, Any]) -> None:
        """Put the child's end of the connection into the launch; a usage fault for what can't go together."""
        if not launch["terminal"]:
            if self._path:
                hint = "leave --console-socket out, or set process.terminal"
                raise RuntimeFault(
                    "--console-socket is for a process with a terminal", kind="usage", hint=hint
                )
            return
        from runtime.oci import console  # noqa: PLC0415 - most containers have no terminal

        launch["console"] = console
        if self._path:
            launch["connection"] = console.connect(self._path)
            return
        if self._detached:
            hint = "give --console-socket, or set process.terminal to false"
            raise RuntimeFault("cannot allocate a terminal and leave it to nobody", kind="usage", hint=hint)
        import socket  # noqa: PLC0415

        self._ours, launch["connection"] = socket.socketpair()
        launch["size"] = launch["size"] or _size(console)

    def attend(self, child: Child) -> int:
        """Wait for a process in the foreground, at the user's terminal; returns its exit code."""
        if self._ours is None:
            signals.forward(child.pidfd)
            return signals.wait(child.pid)
        from runtime.oci import console, relay  # noqa: PLC0415

        master = console.receive(self._ours)
        signals.forward(child.pidfd)
        with relay.raw(0), relay.sized(0, master):
            relay.relay(master, child.pidfd)
        return signals.wait(child.pid)


def _size(console: Any) -> tuple[int, int] | None:  # noqa: ANN401 - a module
    try:
        found: tuple[int, int] = console.size_of(0)
    except OSError:  # no terminal
        return None
    return found
