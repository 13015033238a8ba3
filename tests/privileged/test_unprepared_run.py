"""A run beside images that can't be made: the rest is measured, and the report is written."""

import subprocess

import pytest

from bench.results import load

pytestmark = [pytest.mark.privileged, pytest.mark.slow]

# Nothing listens on port 1, so apt's downloads are refused at once.
NOWHERE = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:1")


def test_without_the_network_the_scenarios_that_need_none_go_on(tare, tmp_path):
    json, html = tmp_path / "run.json", tmp_path / "run.html"
    done = tare(
        "run", "cpu", "startup", "-t", "native,container", "-r", "1", "-q", "--json", json, "--html", html,
        env={"TARE_ROOT": str(tmp_path / "root"), **NOWHERE},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    run = load(json)
    assert run.finished
    assert {(m.scenario, m.target) for m in run.measurements} == {
        ("startup", "native"), ("startup", "container"),
    }  # fmt: skip
    assert {(f.scenario, f.target) for f in run.failures} == {("cpu", "native"), ("cpu", "container")}
    assert all(failure.hint for failure in run.failures)
    lines = done.stderr.splitlines()
    for target in ("native", "container"):
        (place,) = [n for n, line in enumerate(lines) if line.startswith(f"tare: cpu on {target} failed: ")]
        assert lines[place + 1].startswith("  hint: ")
    assert html.stat().st_size > 1_000_000


def test_a_disk_that_fills_up_ends_only_what_needs_more(tare, tmp_path):
    root, json, html = tmp_path / "root", tmp_path / "run.json", tmp_path / "run.html"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", root], check=True)
    try:
        done = tare(
            "run", "layers", "startup", "-t", "native", "-r", "1", "-q", "--json", json, "--html", html,
            env={"TARE_ROOT": str(root)},
        )  # fmt: skip
    finally:
        subprocess.run(["umount", root], check=True)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    run = load(json)
    assert {m.scenario for m in run.measurements} == {"startup"}
    (failure,) = run.failures
    assert failure.scenario == "layers"
    assert "full" in failure.text or "space" in failure.text
    assert html.exists()
