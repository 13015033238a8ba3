import time
from dataclasses import replace

import pytest

from vmdriver import accel

pytestmark = pytest.mark.vm


def test_an_accelerator_is_what_a_guest_booted_with(hypervisor, data_root, guest_kernel):
    found = accel.prove(hypervisor, data_root, guest_kernel, refresh=True)
    booted = {attempt.accelerator for attempt in found.attempts if attempt.booted}
    assert found.acceleration == ("kvm" if "kvm" in booted else "tcg")
    assert "tcg" in booted
    assert "reached user space" in found.proof
    assert (found.name == "tcg") == ("kvm" in found.proof.partition(";")[2])
    start = time.monotonic()
    again = accel.prove(hypervisor, data_root, guest_kernel)
    assert time.monotonic() - start < 1
    assert again == replace(found, cached=True)


def test_a_guest_that_hangs_is_ended_at_the_limit(hypervisor, data_root, guest_kernel):
    """A machine that never gets to user space, by a kernel told to run a program that is not there."""
    spec = replace(
        accel._probe(data_root, guest_kernel, "tcg", "full"),
        cmdline="console=ttyS0 panic=0 rdinit=/none init=/none root=/dev/none rootwait",
    )
    attempt = accel._attempt(hypervisor, spec, 3.0)
    assert not attempt.booted
    assert 3.0 <= attempt.seconds < 8
    assert "was ended" in attempt.text
    assert not hypervisor.connection.exists(spec.name)
