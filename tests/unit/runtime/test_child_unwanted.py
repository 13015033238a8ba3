"""A child whose spawner or starter died before it could ask for a death signal leaves nothing for a prune."""

from __future__ import annotations

import os
import socket

import pytest

from runtime.cgroups.hierarchy import Hierarchy
from runtime.container import request
from runtime.container.spec import NativeSpec
from runtime.process import init
from runtime.process.work import Work


@pytest.mark.parametrize("dead", ["spawner", "starter"])
def test_a_child_whose_makers_died_first_makes_no_record(tmp_path, dead):
    message = request.native(NativeSpec("box", ("/bin/true",)), tmp_path, Hierarchy({}, None)).message
    work = Work(message, {"pid": 1, "start": 1}, [0, 1, 2])
    spawner, starter = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader, work.sync = os.pipe()
    held, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        spawner.close()
        os.read(held, 1)
        inherited = init.Inherited(starter.fileno())
        inherited.reader = reader
        init.run([work], inherited)
    if dead == "spawner":
        spawner.close()
    else:
        os.close(reader)
    os.close(go)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert list(tmp_path.iterdir()) == []
    for fd in (work.sync, held, *([reader] if dead == "spawner" else [])):
        os.close(fd)
    spawner.close()
    starter.close()
