"""Limits of real processes, as far as an ordinary user may set them."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.errors import RuntimeFault
from runtime.oci import limits, scheduling, sysctl


def within(planned, code):
    """Run Python `code` after `settle`: what it prints."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import os, resource\n{code}"],
        preexec_fn=lambda: limits.settle(planned), capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    return done.stdout.split()


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["/bin/sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def test_every_name_of_a_limit_is_known():
    assert set(limits.RLIMITS) == {
        f"RLIMIT_{name}"
        for name in (
            *("AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE"),
            *("NICE", "NOFILE", "NPROC", "RSS", "RTPRIO", "RTTIME", "SIGPENDING", "STACK"),
        )
    }  # fmt: skip
    assert (limits.RLIMITS["RLIMIT_LOCKS"], limits.RLIMITS["RLIMIT_RTTIME"]) == (10, 15)


def test_rlimits_are_set_soft_and_hard():
    files, core = {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0}
    planned = limits.plan({"rlimits": [files, core | {"hard": 0}]}, {})
    code = "print(*resource.getrlimit(resource.RLIMIT_NOFILE), *resource.getrlimit(resource.RLIMIT_CORE))"
    assert within(planned, code) == ["100", "200", "0", "0"]


@pytest.mark.parametrize("value", [-1, (1 << 64) - 1])
def test_no_limit_has_two_spellings(value):
    planned = limits.plan({"rlimits": [{"type": "RLIMIT_RSS", "soft": value, "hard": value}]}, {})
    assert planned["rlimits"] == [[resource.RLIMIT_RSS, (1 << 64) - 1, (1 << 64) - 1]]
    assert within(planned, "print(*resource.getrlimit(resource.RLIMIT_RSS))") == ["-1", "-1"]


def test_a_limit_of_more_than_63_bits_is_set_as_it_is():
    planned = limits.plan({"rlimits": [{"type": "RLIMIT_RSS", "soft": 5, "hard": 1 << 63}]}, {})
    code = "print(open('/proc/self/limits').read())"
    line = " ".join(within(planned, code))
    assert f"Max resident set 5 {1 << 63} bytes" in line


def test_umask_and_personality():
    planned = limits.plan({"user": {"umask": 0o137}}, {"personality": {"domain": "LINUX32"}})
    machine = "i686" if os.uname().machine == "x86_64" else "armv8l"
    assert within(planned, "print(oct(os.umask(0)), os.uname().machine)") == ["0o137", machine]
    assert "umask" not in limits.plan({"user": {}}, {})


def test_the_oom_score_of_another_process_rises(sleeper):
    limits.impose(sleeper, limits.plan({"oomScoreAdj": 321}, {}))
    assert Path(f"/proc/{sleeper}/oom_score_adj").read_text() == "321\n"


def test_scheduling_of_another_process(sleeper):
    wanted = {"scheduler": {"policy": "SCHED_BATCH", "nice": 7, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
              "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 6}}  # fmt: skip
    limits.impose(sleeper, limits.plan(wanted, {}))
    assert os.sched_getscheduler(sleeper) == os.SCHED_BATCH | os.SCHED_RESET_ON_FORK
    assert os.getpriority(os.PRIO_PROCESS, sleeper) == 7
    shown = subprocess.run(["ionice", "-p", str(sleeper)], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "best-effort: prio 6"


def test_affinity(sleeper):
    scheduling.pin(sleeper, "0", "process.execCPUAffinity.initial")
    assert os.sched_getaffinity(sleeper) == {0}
    assert scheduling.cpus("0-2, 5,7-7", "") == {0, 1, 2, 5, 7}
    for text in ("", "a", "3-1", "1-", "-1", "1,,2"):
        with pytest.raises(RuntimeFault, match=r"execCPUAffinity\.final"):
            scheduling.cpus(text, "process.execCPUAffinity.final")
    with pytest.raises(RuntimeFault, match=r"initial: no CPU of 4000"):
        scheduling.pin(sleeper, "4000", "process.execCPUAffinity.initial")


LIMIT = {"type": "RLIMIT_CPU", "soft": 1, "hard": 2}


@pytest.mark.parametrize(
    ("process", "linux", "text"),
    [
        ({"rlimits": [LIMIT, LIMIT | {"type": "RLIMIT_FUN"}]}, {}, r"rlimits\[1\].type does not know"),
        ({"rlimits": [LIMIT, LIMIT]}, {}, r"rlimits\[1\].type is RLIMIT_CPU a second time"),
        ({"rlimits": [LIMIT | {"soft": 3}]}, {}, r"rlimits\[0\].soft is 3, more than hard"),
        ({"rlimits": [LIMIT | {"hard": 1 << 64}]}, {}, r"rlimits\[0\].hard must be"),
        ({"oomScoreAdj": 1001}, {}, "process.oomScoreAdj must be"),
        ({"user": {"umask": 0o10000}}, {}, "process.user.umask must be"),
        ({}, {"personality": {"domain": "SVR4"}}, "linux.personality.domain does not know 'SVR4'"),
        ({}, {"personality": {"domain": "LINUX", "flags": ["X"]}}, "linux.personality.flags"),
        ({"scheduler": {"policy": "SCHED_ISO"}}, {}, "scheduler.policy does not know 'SCHED_ISO'"),
        ({"scheduler": {"policy": "SCHED_OTHER", "priority": 3}}, {}, "scheduler.priority goes with"),
        ({"scheduler": {"policy": "SCHED_OTHER", "runtime": 3}}, {}, "scheduler.runtime goes with"),
        ({"scheduler": {"policy": "SCHED_OTHER", "nice": 20}}, {}, "scheduler.nice must be"),
        ({"scheduler": {"policy": "SCHED_RR", "flags": ["X"]}}, {}, "scheduler.flags does not know 'X'"),
        ({"ioPriority": {"class": "X"}}, {}, "ioPriority.class does not know 'X'"),
        ({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}}, {}, "ioPriority.priority must be"),
    ],
)  # fmt: skip
def test_what_can_not_be_honoured_is_refused_by_its_path(process, linux, text):
    with pytest.raises(RuntimeFault, match=text):
        limits.plan(process, linux)


def test_parameters_are_planned_as_paths_with_either_separator():
    wanted = {"net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.5/forwarding": "1",
              "net.ipv4.conf.eth0/5.forwarding": "0", "kernel.shmmax": "9", "fs.mqueue.msg_max": "5",
              "kernel.domainname": "x", "user.max_pid_namespaces": "3"}  # fmt: skip
    planned = sysctl.plan(wanted, {"network", "ipc", "uts", "user"})
    assert [path for path, _ in planned] == [
        "net/ipv4/ip_forward", "net/ipv4/conf/eth0.5/forwarding", "net/ipv4/conf/eth0.5/forwarding",
        "kernel/shmmax", "fs/mqueue/msg_max", "kernel/domainname", "user/max_pid_namespaces",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "owned", "text"),
    [
        ("net.ipv4.ip_forward", {"ipc"}, "would change the host's"),
        ("kernel.shmmax", {"network"}, "would change the host's"),
        ("kernel.core_pattern", {"network", "ipc", "uts", "user"}, "belongs to the whole host"),
        ("vm.overcommit_memory", {"network", "ipc"}, "belongs to the whole host"),
        ("kernel.hostname", {"uts"}, "would contradict hostname"),
        ("net/../kernel/core_pattern", {"network"}, "is no name"),
        ("net/ipv4//ip_forward", {"network"}, "is no name"),
        ("", {"network"}, "is no name"),
    ],
)
def test_parameters_of_the_host_are_refused(name, owned, text):
    with pytest.raises(RuntimeFault, match=f"linux.sysctl {name} {text}"):
        sysctl.plan({name: "1"}, owned)


def test_a_file_outside_of_proc_is_never_written(tmp_path):
    (tmp_path / "target").write_text("before")
    climb = "../" * 5 + str(tmp_path / "target").lstrip("/")
    with pytest.raises(OSError, match="no file system of type proc"):
        sysctl.write([[climb, "after"]])
    assert (tmp_path / "target").read_text() == "before"
