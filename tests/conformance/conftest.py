"""The runtime under test, and what it is known not to meet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conformance.deviations import DEVIATIONS
from tests.conformance.groups import Groups, is_v2
from tests.conformance.must import MARKER
from tests.conformance.oci import Runtime
from tests.conformance.verdicts import Verdicts

HERE = Path(__file__).parent


def pytest_addoption(parser):
    group = parser.getgroup("conformance")
    group.addoption(
        "--oci-runtime", metavar="PATH", help="the runtime to test (else TARE_OCI_RUNTIME, else tare-oci)"
    )
    group.addoption(
        "--oci-verdicts", metavar="DIR", help="write what was met as DIR/NAME.json, for the table"
    )


def pytest_configure(config):
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", "cgroup_version(number): is about values of this version alone")


def _program(config):
    given = config.getoption("--oci-runtime", default=None) or os.environ.get("TARE_OCI_RUNTIME")
    return given or str(Path(sys.executable).with_name("tare-oci"))


def _version(program):
    """First word and last word of the first line of `--version`, as `runc version 1.1.5`."""
    try:
        done = subprocess.run([program, "--version"], check=False, capture_output=True, text=True, timeout=10)
        words = done.stdout.splitlines()[0].split()
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return Path(program).name, ""
    return (words[0], words[-1]) if words[1:2] == ["version"] else (Path(program).name, "")


def pytest_collection_modifyitems(config, items):
    ours = [item for item in items if HERE in item.path.parents and item.get_closest_marker("must")]
    name, version = _version(_program(config)) if ours else ("", "")
    known = DEVIATIONS.get(name, {})
    for item in ours:
        item.add_marker(pytest.mark.privileged)
        key = f"{item.path.name}::{item.name}"
        reason = known.get(key) or known.get(key.partition("[")[0])
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    directory = config.getoption("--oci-verdicts", default=None)
    if directory and ours:
        config.pluginmanager.register(Verdicts(Path(directory) / f"{name}.json", name, version))
    _of_the_other_version(config, items, skip=bool(directory))


def _of_the_other_version(config, items, *, skip):
    """Values of the other cgroup version make no sense here: no test, and in the table not applicable."""
    here = 2 if is_v2() else 1
    marked = {item: item.get_closest_marker("cgroup_version") for item in items}
    foreign = [item for item, marker in marked.items() if marker and marker.args[0] != here]
    if skip:
        for item in foreign:
            item.add_marker(pytest.mark.skip(reason=f"the host has cgroup version {here}"))
    elif foreign:
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if item not in foreign]


@pytest.fixture(scope="session")
def session_runtime(request):
    program = shutil.which(_program(request.config))
    assert program, f"no runtime at {_program(request.config)}"
    scratch = Path(tempfile.mkdtemp(prefix="conformance-"))
    scratch.chmod(0o755)
    runtime = Runtime(program, scratch)
    yield runtime
    Groups(runtime.parent).remove()
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture(autouse=True)
def nothing_is_left():
    """In place of the suite's check of the whole host, since the runtime under test may be a foreign one."""
    yield
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    left = [line for line in mounts if "/conformance-" in line]
    assert not left, f"mounts left behind: {left}"


@pytest.fixture
def oci(session_runtime):
    """The runtime; the containers that a test makes go with the test."""
    yield session_runtime
    session_runtime.discard()
