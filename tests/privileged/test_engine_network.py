"""A published port of `tare container run -p`, in a network namespace of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
set -e
ip link set lo up
tare() { "$PYTHON" -c 'from bench.cli.main import main; main()' container "$@"; }
trap 'tare rm -f web >/dev/null' EXIT
serve='mkdir /w; echo hello > /w/index.html; exec httpd -f -h /w -p 80'
tare run -d --name web -p 127.0.0.1:8099:80 busybox sh -c "$serve" >/dev/null
tare port web
tare port web 80
if tare port web 80/udp; then exit 1; fi
for _ in 1 2 3 4 5 6 7 8 9 10; do
    "$PYTHON" -c '
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8099/index.html", timeout=3).read().decode().strip())
' 2>/dev/null && break
    sleep 0.2
done
tare inspect web | grep -m1 '"IPAddress"'
tare rm -f web >/dev/null
trap - EXIT
ip -br link | wc -l
"""


def test_a_published_port_is_reached_and_gone_with_the_container(tmp_path):
    bootstrap(Store(tmp_path / "images"), "busybox")
    environment = {**os.environ, "TARE_ROOT": str(tmp_path), "PYTHON": sys.executable}
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[:3] == ["80/tcp -> 127.0.0.1:8099", "127.0.0.1:8099", "hello"], done.stderr
    assert "container web has no port 80/udp published" in done.stderr
    assert lines[3].strip().startswith('"IPAddress": "10.')
    assert lines[4] == "1", done.stdout
