"""Commands that a scenario carries out inside a box, and that have to succeed."""

from bench.channel import Channel, Finished
from bench.clock import now
from bench.errors import BenchFault

PATIENCE = 60.0
BY_HAND = "run it by hand with `tare container run`"


def carry_out(channel: Channel, command: str, *, hint: str = BY_HAND) -> Finished:
    """Run a shell command inside; BenchFault of kind `failed` with its output when it fails."""
    done = channel.execute(command, now() + PATIENCE)
    if done.status:
        raise BenchFault(
            f"`{command}` failed with status {done.status}: {done.output[-300:]!r}", hint=hint, kind="failed"
        )
    return done
