"""`tare-oci exec`."""

from __future__ import annotations

from runtime.oci import exec as execution
from runtime.oci.terminal import Terminal

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
    apparmor TEXT PROFILE instead of the container's
    no-new-privs FLAG never gain privileges
    ignore-paused FLAG also in a paused container, to wait there until it is resumed
    preserve-fds TEXT N further descriptors from 3 on
"""
MIXED = False


def run(arguments: Arguments, log: Log) -> int:
    """Start it; in the foreground wait, and return its exit code, 128 + n after signal n."""
    detach = arguments.flag("detach")
    terminal = Terminal(arguments, detached=detach)
    with execution.execute(arguments, log, terminal) as child:
        return 0 if detach else terminal.attend(child)
