"""process: arguments, environment, user, limits, capabilities (config.md, Process)."""

import os
import resource
import stat

import pytest

from tests.conformance.bundle import CAPABILITIES
from tests.conformance.must import must
from tests.conformance.test_config import put

BITS = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
}


def fields(text):
    """/proc/PID/status as a mapping."""
    return {
        name: " ".join(value.split())
        for name, _, value in (line.partition(":") for line in text.splitlines())
    }


def status(oci, change):
    return fields(oci.output("cat /proc/self/status", change))


def user(**values):
    return put("process", "user", value={"uid": 0, "gid": 0, **values})


@must("config.md#process", "args has execvp's semantics: each entry arrives as it is")
def test_arguments(oci):
    words = ["", "two words", "$HOME", "*", "ü", "a\nb"]
    box = oci.box()
    box.process["args"] = ["/bin/sh", "-c", 'for w; do printf "<%s>" "$w"; done', "name", *words]
    assert box.output() == "".join(f"<{word}>" for word in words)


@must("config.md#process", "the first entry is used as execvp's file: looked for in PATH")
def test_the_program_is_found_in_path(oci):
    box = oci.box()
    (box.bundle.root / "tools").mkdir()
    (box.bundle.root / "tools/mine").write_text("#!/bin/sh\necho mine\n")
    (box.bundle.root / "tools/mine").chmod(0o755)
    box.process.update(args=["mine"], env=["PATH=/nowhere:/tools:/bin"])
    assert box.output() == "mine\n"


@must("config.md#process", "a program that is not there, or is not executable, is an error")
@pytest.mark.parametrize("program", ["nosuchprogram", "/bin/nosuch", "/notexec", "/etc"])
def test_a_program_that_does_not_run(oci, program):
    oci.refused(put("process", "args", value=[program]))


@must("config.md#process", "env has the semantics of environ")
def test_environment(oci):
    env = ["PATH=/bin", "A=1", "EMPTY=", "SPACES=a b  c", "EQUALS=x=y=z", "lower_case=ü"]
    text = oci.output("env", put("process", "env", value=env))
    assert set(env) <= set(text.splitlines())


@must("config.md#process", "the runtime's own environment is not the container's")
def test_the_environment_is_only_the_configured(oci):
    box = oci.box("env")
    box.bundle.write()
    command = ("run", "--bundle", str(box.bundle.path), box.id)
    result = oci(*command, env={**os.environ, "LEAKED": "secret"}).must_work()
    assert "PATH=/bin" in result.out.splitlines()
    assert "LEAKED" not in result.out


@must("config.md#process", "cwd is the working directory that will be set for the executable")
def test_working_directory(oci):
    assert oci.output("pwd; readlink /proc/self/cwd", put("process", "cwd", value="/tmp")) == "/tmp\n/tmp\n"


@must("config.md#posix-platform-user", "uid and gid specify the IDs in the container namespace")
def test_user_and_group(oci):
    found = status(oci, user(uid=1234, gid=567))
    assert found["Uid"] == "1234 1234 1234 1234"
    assert found["Gid"] == "567 567 567 567"


@must(
    "config.md#posix-platform-user",
    "additionalGids specifies additional group IDs to be added to the process",
)
def test_additional_groups(oci):
    found = status(oci, user(uid=1, gid=2, additionalGids=[5, 600, 70000]))
    assert set(found["Groups"].split()) == {"5", "600", "70000"}


@must("config.md#posix-platform-user", "without additionalGids the runtime's own groups are not passed on")
def test_no_additional_groups(oci):
    box = oci.box("id -G")
    box.process["user"] = {"uid": 7, "gid": 8}
    box.bundle.write()
    result = oci("run", "--bundle", str(box.bundle.path), box.id, extra_groups=[4, 24]).must_work()
    assert result.out == "8\n"


@must("config.md#posix-platform-user", "umask specifies the umask of the user")
@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_umask(oci, umask):
    assert int(status(oci, user(umask=umask))["Umask"], 8) == umask


@must("config.md#posix-process", "rlim_cur and rlim_max MUST match the configured soft and hard")
def test_rlimits(oci):
    wanted = {"NOFILE": (100, 200), "CORE": (0, 4096), "NPROC": (3000, 4000), "STACK": (1 << 20, 2 << 20)}
    limits = [{"type": f"RLIMIT_{name}", "soft": soft, "hard": hard} for name, (soft, hard) in wanted.items()]
    box = oci.box("echo ready; exec sleep 60")
    box.process["rlimits"] = limits
    box.launch().wait_for("ready")
    pid = box.state()["pid"]
    for name, pair in wanted.items():
        assert resource.prlimit(pid, getattr(resource, f"RLIMIT_{name}")) == pair


@must("config.md#posix-process", "MUST generate an error for a type that maps to no kernel interface")
def test_an_unknown_rlimit(oci):
    oci.refused(put("process", "rlimits", value=[{"type": "RLIMIT_NOSUCH", "soft": 1, "hard": 1}]))


@must("config.md#posix-process", "duplicated rlimits with the same type MUST generate an error")
def test_duplicated_rlimits(oci):
    limit = {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}
    base = put("process", "rlimits", value=[limit])
    oci.refused(put("process", "rlimits", value=[limit, {**limit, "soft": 50}]), base=base)


@must("config.md#posix-process", "a soft limit above the hard one is invalid: an error")
def test_a_soft_limit_above_the_hard(oci):
    oci.refused(put("process", "rlimits", value=[{"type": "RLIMIT_NOFILE", "soft": 200, "hard": 100}]))


def capabilities(**sets):
    return put(
        "process", "capabilities", value={name: [f"CAP_{cap}" for cap in caps] for name, caps in sets.items()}
    )


@must("config.md#linux-process", "capabilities are the sets kept for the process, each of the five")
def test_each_set_of_capabilities(oci):
    found = status(
        oci,
        capabilities(
            bounding=["CHOWN", "KILL", "FOWNER", "SETUID"],
            permitted=["CHOWN", "KILL", "FOWNER"],
            inheritable=["CHOWN", "KILL"],
            effective=["CHOWN", "FOWNER"],
            ambient=["CHOWN"],
        ),
    )
    # What root's exec makes of them (capabilities(7)): permitted = inheritable | bounding.
    assert int(found["CapBnd"], 16) == _mask("CHOWN", "KILL", "FOWNER", "SETUID")
    assert int(found["CapInh"], 16) == _mask("CHOWN", "KILL")
    assert int(found["CapAmb"], 16) == _mask("CHOWN")


@must("config.md#linux-process", "effective, permitted and ambient are kept for a user that is not root")
def test_capabilities_of_another_user(oci):
    sets = {
        name: ["CHOWN", "KILL"] for name in ("bounding", "permitted", "inheritable", "effective", "ambient")
    }

    def change(config):
        user(uid=1000, gid=1000)(config)
        capabilities(**sets)(config)

    found = status(oci, change)
    expected = _mask("CHOWN", "KILL")
    assert {name: int(found[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == (
        dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), expected)
    )


@must("config.md#linux-process", "what is not in the bounding set is not to be had")
def test_a_dropped_capability(oci):
    script = "chown 5 /etc/passwd 2>&1; grep CapBnd /proc/self/status"
    text = oci.output(script, capabilities(bounding=["KILL"], permitted=["KILL"], effective=["KILL"]))
    assert "Operation not permitted" in text
    assert int(text.split()[-1], 16) == _mask("KILL")


@must(
    "config.md#linux-process",
    "a capability that can't be mapped MUST be logged as a warning, SHOULD NOT fail",
)
def test_an_unknown_capability(oci):
    box = oci.box("echo fine")
    box.process["capabilities"]["bounding"] = [*CAPABILITIES, "CAP_NOSUCH"]
    result = box.run().must_work()
    assert result.out == "fine\n"
    assert "CAP_NOSUCH" in result.err


@must("runtime.md#warnings", "a warning MUST NOT change the flow: it continues as if there had been none")
def test_a_warning_changes_nothing(oci):
    script = "grep Cap /proc/self/status"
    box = oci.box(f"{script}; exit 3")
    box.process["capabilities"]["bounding"] = ["CAP_NOSUCH", *CAPABILITIES]
    result = box.run()
    assert result.code == 3
    assert result.out == oci.output(script)


def _mask(*names):
    return sum(1 << BITS[f"CAP_{name}"] for name in names)


@must("config.md#linux-process", "noNewPrivileges prevents the process from gaining privileges")
@pytest.mark.parametrize("value", [True, False])
def test_no_new_privileges(oci, value):
    assert status(oci, put("process", "noNewPrivileges", value=value))["NoNewPrivs"] == str(int(value))


@must(
    "config.md#linux-process", "if oomScoreAdj is set, the runtime MUST set oom_score_adj to the given value"
)
@pytest.mark.parametrize("value", [0, 500, 1000])
def test_oom_score(oci, value):
    assert (
        oci.output("cat /proc/self/oom_score_adj", put("process", "oomScoreAdj", value=value)) == f"{value}\n"
    )


@must("config.md#linux-process", "if oomScoreAdj is not set, the runtime MUST NOT change oom_score_adj")
def test_oom_score_unchanged(oci):
    box = oci.box("cat /proc/self/oom_score_adj")
    box.bundle.write()
    inherit = ["choom", "-n", "321", "--", oci.program, "--root", str(oci.root)]
    command = [*inherit, "run", "--bundle", str(box.bundle.path), box.id]
    assert oci.shell(command).must_work().out == "321\n"


@must("config.md#linux-process", "ioPriority: class (REQUIRED) and priority are set for the process")
def test_io_priority(oci):
    change = put("process", "ioPriority", value={"class": "IOPRIO_CLASS_BE", "priority": 6})
    assert oci.output("ionice -p $$", change).strip() == "best-effort: prio 6"


@must("config.md#linux-process", "an unknown ioPriority class is an invalid value: an error")
def test_an_unknown_io_priority(oci):
    oci.refused(put("process", "ioPriority", value={"class": "IOPRIO_CLASS_NOSUCH", "priority": 1}))


@must("config.md#linux-process", "scheduler: the policy (REQUIRED) and nice are set for the process")
def test_scheduler(oci):
    box = oci.box("echo ready; exec sleep 60")
    box.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    box.launch().wait_for("ready")
    pid = box.state()["pid"]
    assert os.sched_getscheduler(pid) == os.SCHED_BATCH
    assert os.getpriority(os.PRIO_PROCESS, pid) == 5


@must("config.md#linux-process", "an unknown scheduler policy is an invalid value: an error")
def test_an_unknown_scheduler(oci):
    oci.refused(put("process", "scheduler", value={"policy": "SCHED_NOSUCH"}))


@must(
    "config.md#linux-process",
    "an AppArmor profile that the host can't apply is an unsupported value: an error",
)
def test_an_apparmor_profile(oci):
    if os.path.exists("/sys/kernel/security/apparmor"):  # noqa: PTH110
        pytest.skip("the host has AppArmor")
    oci.refused(put("process", "apparmorProfile", value="nosuch_profile"))


@must(
    "config.md#linux-process", "an SELinux label that the host can't apply is an unsupported value: an error"
)
def test_an_selinux_label(oci):
    if os.path.exists("/sys/fs/selinux/enforce"):  # noqa: PTH110
        pytest.skip("the host has SELinux")
    oci.refused(put("process", "selinuxLabel", value="system_u:system_r:svirt_lxc_net_t:s0"))


@must("config.md#process", "with terminal false or unset the streams are those of the caller, no terminal")
def test_no_terminal(oci):
    box = oci.box("for n in 0 1 2; do test -t $n && echo tty $n; done; echo done")
    assert box.output() == "done\n"
    assert stat.S_ISDIR((box.bundle.root / "dev").stat().st_mode)


@must("config.md#process", "MUST ignore consoleSize if terminal is false or unset")
def test_console_size_without_terminal(oci):
    change = put("process", "consoleSize", value={"height": 10, "width": 20})
    assert oci.output("test -t 0 || echo none", change) == "none\n"
