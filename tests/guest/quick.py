"""A quick part of `tests.guest.run`, and whether a failure in the guest is one out here.

`nox -s guest` begins with it; the ordinary tests do without, since an emulated boot is minutes of theirs.
"""

import re

import pytest

from tests.guest.machine import machine

# The first time, an image is made from Debian's packages.
pytestmark = [pytest.mark.privileged, pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(900)]
PURE = "tests/guest/pure_v2.py"
NAMES = {
    f"{PURE}::test_the_first_process_is_born_in_its_cgroup",
    f"{PURE}::test_limits_are_set_and_change",
    f"{PURE}::test_device_rules_are_one_program_that_an_update_replaces",
    f"{PURE}::test_a_pause_freezes_and_is_seen",
    f"{PURE}::test_no_threaded_domain_is_made_of_a_cgroup_with_processes",
    f"{PURE}::test_an_ordinary_user_gets_limits_in_a_service_delegated_to_him",
    "tests/privileged/test_container.py::test_process_one_sees_only_itself_and_its_children",
    "tests/privileged/test_container_limits.py::test_the_kernels_v2_tree_takes_a_child_at_birth",
    "tests/privileged/test_native_process.py::test_descendants_of_a_bare_process_go_with_it",
    "tests/privileged/test_starter.py::test_a_child_that_is_killed_before_its_exec_counts_as_killed",
    "tests/privileged/test_starter.py::test_forty_kills_at_any_moment_leave_nothing",
    "tests/privileged/test_vfork.py::test_an_exec_lets_the_maker_go_on[born-in]",
    "tests/privileged/test_vfork.py::test_a_child_that_is_killed_takes_the_maker_along[born-in]",
}
BROKEN = "def test_good(): pass\\ndef test_bad(): assert 1 == 2\\n"


@pytest.fixture(scope="module")
def guest(data_root):
    with machine(data_root, 600, print) as made:
        yield made


def test_its_cgroups_are_v2_alone_and_systemd_delegates_them(guest):
    kinds = guest.execute("grep -o 'cgroup2* cgroup2* rw' /proc/self/mountinfo").output.split()
    assert kinds == ["cgroup2", "cgroup2", "rw"]
    controllers = guest.execute("cat /sys/fs/cgroup/cgroup.controllers").output.split()
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= set(controllers)
    assert guest.execute("cat /proc/1/comm").output == "systemd\n"


def test_the_runtime_works_there(guest):
    done = guest.pytest("-q", "-rA", *sorted(NAMES))
    assert done.status == 0, done.output
    assert set(re.findall(r"^PASSED (\S+)", done.output, re.MULTILINE)) == NAMES
    assert f"{len(NAMES)} passed in " in done.output


def test_a_failure_in_there_is_one_out_here(guest):
    guest.execute(f"printf '{BROKEN}' > /work/tests/guest/broken.py")
    done = guest.pytest("-q", "tests/guest/broken.py")
    assert done.status == 1
    assert "1 failed, 1 passed in " in done.output
