"""`tare-oci run`: create, start, and in the foreground wait and delete."""

from __future__ import annotations

from runtime.oci import create, lifecycle, signals
from runtime.oci.terminal import Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.options import Arguments
    from runtime.oci.report import Log

USAGE = "[option …] ID"
OPTIONS = (
    create.OPTIONS
    + """
    detach,d FLAG return when it runs, and leave it to kill and delete
    keep FLAG keep the container when it has ended
    no-subreaper FLAG accepted: descendants that outlive the container die with its cgroup anyway
"""
)
MIXED = True


def run(arguments: Arguments, log: Log) -> int:
    """Run it; returns the exit code of its program, 128 + n after signal n."""
    signals.end_cleanly()
    terminal = Terminal(arguments, detached=arguments.flag("detach"))
    held, child = create.create(arguments, log, terminal, share=True)
    hooks = lifecycle.Hooks(held.config(), held, log)
    with child:
        try:
            held.release()
            hooks.started()
            if arguments.flag("detach"):
                return 0
            code = terminal.attend(child)
        except BaseException:
            lifecycle.delete(held, log)
            raise
    if not arguments.flag("keep"):
        lifecycle.delete(held, log)
    return code
