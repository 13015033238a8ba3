"""`tare image pull` and `push` as a person types them."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def tare(made, tmp_path):
    """Return a function that runs the command on a data root in which the image "made:1" is."""
    source, _ = made
    root = tmp_path / "root"
    root.mkdir()
    (root / "images").symlink_to(source.root)

    def run(*words, root=root, code=0):
        command = [sys.executable, "-m", "tests.registry.tare", "--root", str(root), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=os.environ
        )
        assert done.returncode == code, done.stderr
        return done

    return run


def test_push_pull_and_list(tare, registry, tmp_path, made):
    _, image = made
    pushed = tare("image", "push", "made:1", f"{registry.host}/lab/made:1")
    assert pushed.stdout.strip() == image.digest
    assert f"{image.layers[0].digest.short} done" in pushed.stderr
    other = tmp_path / "other"
    pulled = tare("image", "pull", "--tls-verify=true", f"{registry.host}/lab/made:1", root=other)
    assert pulled.stdout.strip() == image.digest
    assert f"{registry.host}/lab/made:1" in tare("image", "ls", root=other).stdout
    again = tare("image", "pull", "-q", f"{registry.host}/lab/made:1", root=other)
    assert again.stderr == ""


def test_faults_are_a_line_and_a_hint(tare, registry):
    done = tare("image", "pull", f"{registry.host}/lab/none", code=2)
    assert done.stderr.startswith("tare: cannot fetch the manifest latest of ")
    assert "\n  hint: " in done.stderr
    assert "not a platform" in tare("image", "pull", "--platform", "x", "a", code=2).stderr
