"""The scenario `distribution` for real: a registry, clean stores, disks of qcow2, a guest that boots one."""

import shutil
import subprocess

import pytest

from bench.results import load
from bench.trials import disks
from bench.trials.distribution import CHANGE, HOSTS
from runtime.image.store import Store

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not shutil.which("docker-registry"), reason="apt-get install docker-registry"),
]


def test_a_delta_is_small_and_has_the_change_on_the_base(tmp_path):
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/random").write_bytes(bytes(range(256)) * 40000)
    made = disks.make(Store(tmp_path / "store"), tree, CHANGE, tmp_path)
    (base,), (full,), (below, delta) = (image.layers for image in (made.base, made.full, made.delta))
    assert base == below
    assert base != full
    raw = tmp_path / "raw"
    blob = made.store.blobs.path(delta.digest)
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", blob, raw], check=True)
    for path, content in CHANGE.items():
        shown = subprocess.run(["debugfs", "-R", f"cat {path}", raw], check=True, capture_output=True)
        assert shown.stdout == content
    checked = subprocess.run(["e2fsck", "-fn", raw], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    clean = made.store.blobs.path(full.digest)
    assert subprocess.run(["qemu-img", "compare", blob, clean], check=False).returncode == 0


@pytest.fixture(scope="module")
def run(tare, tmp_path_factory):
    file = tmp_path_factory.mktemp("distribution") / "run.json"
    done = tare("run", "distribution", "-t", "container,vm", "-r", "1", "--seed", "1", "-q", "--json", file)
    assert done.returncode == 0, done.stderr
    return load(file)


@pytest.fixture
def figure(run):
    def find(target, metric, **params):
        (found,) = [m for m in run.measurements if (m.target, m.metric, m.params) == (target, metric, params)]
        return found.samples[0].value

    return find


@pytest.mark.slow
@pytest.mark.vm
def test_bytes_are_those_of_the_blobs_and_grow_with_each_host(figure):
    for target in ("container", "vm"):
        pulled, pushed = (figure(target, metric, state="cold") for metric in ("pulled", "pushed"))
        assert 20e6 < pulled < 100e6
        assert pushed == pytest.approx(pulled, rel=0.01)
        for n in range(1, HOSTS + 1):
            moved = figure(target, "moved", state="cold", n=n)
            assert moved == pytest.approx(pushed + n * pulled, rel=1e-4)


@pytest.mark.slow
@pytest.mark.vm
def test_a_change_moves_little_but_for_a_whole_disk(figure):
    layer, delta = (figure(name, "pulled", state="changed", disk="delta") for name in ("container", "vm"))
    whole, cold = figure("vm", "pulled", state="changed", disk="full"), figure("vm", "pulled", state="cold")
    assert layer < 20e3 < delta < 2e6
    assert whole == pytest.approx(cold, rel=0.01)


@pytest.mark.slow
@pytest.mark.vm
def test_what_arrived_runs(figure):
    for target in ("container", "vm"):
        for params in ({"state": "cold"}, {"state": "changed", "disk": "delta"}):
            assert figure(target, "running", **params) > figure(target, "arrival", **params) > 0
