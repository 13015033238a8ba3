"""Two kernels in one run: by the release of an unpacked one, and by the path of a bzImage."""

import shutil

import pytest

from bench.results import load
from vmdriver import kernel as kernels

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(300)]


def test_kernels_are_booted_in_turns_under_their_own_names(tare, guest_kernel, tmp_path):
    other = tmp_path / "other kernel"
    shutil.copy(guest_kernel.image, other)
    both = f"vm-micro@known:kernel={guest_kernel.release},vm-micro@file:kernel={other}"
    file = tmp_path / "run.json"
    done = tare("run", "startup", "--ab", both, "-r", 1, "-q", "--json", file, "--html", tmp_path / "x.html")
    assert done.returncode == 0, done.stderr
    run = load(file)
    assert {m.target for m in run.measurements} == {"vm-micro@known", "vm-micro@file"}
    assert "vm-micro@known → vm-micro@file" in done.stdout
    for target in run.targets:
        assert guest_kernel.release in target.version
        assert f"kernel {kernels.at(other).package}" in target.version or target.name == "vm-micro@known"


def test_a_kernel_says_its_release_and_finds_its_modules(guest_kernel):
    found = kernels.at(guest_kernel.image)
    assert (found.release, found.image) == (guest_kernel.release, guest_kernel.image)
    assert found.modules == guest_kernel.modules
    assert kernels.at(guest_kernel.image.parents[1]).release == guest_kernel.release
