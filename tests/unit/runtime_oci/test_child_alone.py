"""What a child of tare-oci does when its parent is no more, before it could ask for a death signal."""

from __future__ import annotations

import os
import select

from runtime.oci import init


def test_a_child_whose_parent_has_died_before_it_looked_ends():
    hear, theirs = os.pipe()
    ours, tell = os.pipe()
    child = os.fork()
    if child == 0:
        init.run({"close": [theirs, ours], "state": {}}, init.Line(hear, tell))
    for fd in (hear, theirs, ours, tell):  # as the kernel does for a parent that was killed
        os.close(fd)
    watch = os.pidfd_open(child)
    ended = select.select([watch], [], [], 10)[0]
    if not ended:
        os.kill(child, 9)
    os.close(watch)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert ended, "it waits for a parent that is no more"
