"""`tare-oci exec`."""

from __future__ import annotations

from runtime.oci import exec as execution
from runtime.oci import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.report import Log

USAGE = "[option …] ID PROGRAM [ARGUMENT …]   or   [option …] --process FILE ID"
OPTIONS = """
    process,p TEXT FILE with the process as in config.json
    detach,d FLAG return when it runs
    pid-file TEXT FILE for its number
    console-socket TEXT SOCKET that receives the terminal's master
    tty,t FLAG give it a terminal
    cwd TEXT DIR to begin in
    env,e LIST KEY=VALUE to add
    user,u TEXT UID[:GID]
    additional-gids,g LIST GID to add
    cap,c LIST CAPABILITY to add
    no-new-privs FLAG never gain privileges
    preserve-fds TEXT N further descriptors from 3 on
"""
MIXED = False


def run(arguments: Arguments, log: Log) -> int:  # noqa: ARG001 - a verb's form
    """Start it; in the foreground wait, and return its exit code, 128 + n after signal n."""
    with execution.execute(arguments) as child:
        if arguments.flag("detach"):
            return 0
        signals.forward(child.pidfd)
        return signals.wait(child.pid)
