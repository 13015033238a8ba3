"""docs/how-to/containers.md from the top, as it is there, in a network namespace of the test's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.engine import ROOT, until

pytestmark = pytest.mark.privileged
PAGE = ROOT / "docs/how-to/containers.md"


def test_the_page_from_the_top(tmp_path):
    script = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL))
    assert script.count("tare ") > 15
    (tmp_path / "bin").mkdir()
    tare = tmp_path / "bin/tare"
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from bench.cli.main import main; main()"
    tare.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    tare.chmod(0o755)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    environment = {**os.environ, "TARE_ROOT": str(tmp_path / "root"), "PATH": path}
    done = subprocess.run(
        ["unshare", "-n", "sh", "-ec", f"ip link set lo up\n{script}"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for wanted in ("hello", "exit code 7", "<p>It works.", "running pages", "80/tcp -> 127.0.0.1:8089"):
        assert wanted in lines, done.stdout
    assert any(line.split()[-1] == "web" and "busybox" in line for line in lines)
    until(lambda: not list((tmp_path / "root/engine/containers").iterdir()))
    assert not Path(tmp_path / "root/engine/volumes/pages").exists()
