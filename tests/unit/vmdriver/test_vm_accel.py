import json
from dataclasses import asdict

import pytest

from vmdriver import accel
from vmdriver.accel import Attempt, conclude
from vmdriver.errors import MachineFault

HUNG = Attempt("kvm", "full", booted=False, seconds=10.0, text="kvm: hung")
KVM = Attempt("kvm", "basic", booted=True, seconds=0.4, text="kvm: booted")
TCG = Attempt("tcg", "full", booted=True, seconds=2.0, text="tcg: booted")


def test_the_first_that_booted_is_taken_and_the_refused_are_told():
    found = conclude((HUNG, TCG), {"qemu": "7"}, nested=True)
    assert (found.name, found.acceleration, found.cpu, found.seconds) == ("tcg", "tcg", "full", 2.0)
    assert found.proof == "tcg: booted; kvm: hung"


@pytest.mark.parametrize(("nested", "name"), [(True, "kvm-nested"), (False, "kvm")])
def test_kvm_in_a_virtual_machine_is_named_so(nested, name):
    found = conclude((HUNG, KVM, TCG), {}, nested=nested)
    assert (found.name, found.acceleration, found.cpu) == (name, "kvm", "basic")


def test_emulation_without_a_device_says_that_there_is_none():
    assert conclude((TCG,), {}, nested=False).proof == "tcg: booted; kvm: there is no /dev/kvm"


def test_a_host_where_nothing_boots_is_told_why():
    with pytest.raises(MachineFault, match="kvm: hung") as caught:
        conclude((HUNG,), {}, nested=False)
    assert caught.value.kind == "host"


def test_a_stored_proof_holds_for_its_key_only(tmp_path):
    found = conclude((HUNG, TCG), {"qemu": "7"}, nested=False)
    place = tmp_path / "vm/accelerator.json"
    place.parent.mkdir()
    place.write_text(json.dumps(asdict(found)))
    again = accel._load(tmp_path, {"qemu": "7"})
    assert again is not None
    assert again.cached
    assert again.attempts == (HUNG, TCG)
    assert accel._load(tmp_path, {"qemu": "8"}) is None
    place.write_text("{")
    assert accel._load(tmp_path, {"qemu": "7"}) is None
