"""features: the document keeps its promises (features.md, features-linux.md)."""

import json

import pytest

from tests.conformance.must import must
from tests.conformance.test_config import put
from tests.conformance.test_seccomp import rule, seccomp


@pytest.fixture
def features(oci):
    result = oci("features")
    if result.code != 0 and oci.box().run().code == 0:
        pytest.skip("the runtime gives no features document (it MAY)")
    return json.loads(result.must_work().out)


def versions(text):
    return [int(word) for word in text.partition("-")[0].split(".")]


@must(
    "features.md#specification-version",
    "ociVersionMin, ociVersionMax (REQUIRED): max MUST NOT be less than min",
)
def test_versions(features):
    assert versions(features["ociVersionMin"]) <= versions(features["ociVersionMax"])


@must("features.md#specification-version", "MUST accept these values as ociVersion of config.json")
@pytest.mark.parametrize("name", ["ociVersionMin", "ociVersionMax"])
def test_the_versions_are_accepted(oci, features, name):
    assert oci.output("echo fine", put("ociVersion", value=features[name])) == "fine\n"


@must("features.md#hooks", "MUST support the elements of this array as hooks")
def test_hooks(oci, features):
    box = oci.box()
    notes = box.bundle.path / "log"
    box.config["mounts"].append({"destination": "/log", "source": str(notes), "options": ["bind"]})
    notes.write_text("")
    box.config["hooks"] = {
        name: [
            {
                "path": "/bin/busybox",
                "args": ["sh", "-c", f"echo {name} >> {_log(name, notes)}"],
                "env": ["PATH=/bin"],
            }
        ]
        for name in features["hooks"]
    }
    box.launch().wait()
    box.delete().must_work()
    assert sorted(notes.read_text().split()) == sorted(features["hooks"])


def _log(stage, notes):
    return "/log" if stage == "startContainer" else notes


DATA = {"acl", "noacl", "iversion", "mand", "remount", "idmap", "ridmap", "bind", "rbind", "defaults"}


@must("features.md#mount-options", "MUST recognize the elements of this array as options of mounts")
def test_mount_options(oci, features):
    names = [name for name in features["mountOptions"] if name not in DATA]
    box = oci.box("grep -c ' /m/' /proc/self/mountinfo")
    box.config["mounts"] += [
        {"destination": f"/m/{name}", "type": "tmpfs", "source": "tmpfs", "options": [name]} for name in names
    ]
    assert int(box.output()) == len(names) > 30


@must("features-linux.md#namespaces", "MUST recognize the elements of this array as type of linux.namespaces")
def test_namespaces(oci, features):
    names = [name for name in features["linux"]["namespaces"] if name != "user"]
    box = oci.box("echo fine")
    box.linux["namespaces"] = [{"type": name} for name in names]
    assert box.output() == "fine\n"
    assert set(names) >= {"pid", "network", "ipc", "uts", "mount", "cgroup"}


@must("features-linux.md#capabilities", "MUST recognize the elements of this array in process.capabilities")
def test_capabilities(oci, features):
    box = oci.box("echo fine")
    box.process["capabilities"]["bounding"] = features["linux"]["capabilities"]
    result = box.run()
    assert "nknown" not in result.err
    assert result.code == 0 or "ermitted" in result.err
    assert len(features["linux"]["capabilities"]) > 35


# libseccomp takes no two byte orders into one filter.
LITTLE = {"X86", "X86_64", "X32", "ARM", "AARCH64", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC64LE", "RISCV64"}


@must("features-linux.md#seccomp", "MUST recognize the elements of actions, operators and archs")
def test_seccomp(oci, features):
    found = features["linux"]["seccomp"]
    assert found["enabled"] is True
    archs = [name for name in found["archs"] if name.removeprefix("SCMP_ARCH_") in LITTLE]
    actions = [name for name in found["actions"] if name != "SCMP_ACT_NOTIFY"]
    calls = [
        "mkdir",
        "rmdir",
        "chmod",
        "chown",
        "link",
        "symlink",
        "rename",
        "truncate",
        "sync",
        "mknod",
        "utime",
    ]
    rules = [
        rule(name, names=[call])
        for name, call in zip(actions, calls, strict=False)
        if name != "SCMP_ACT_ALLOW"
    ]
    compare = [
        rule("SCMP_ACT_ERRNO", {"index": 2, "value": 4095, "valueTwo": 4095, "op": name}, names=["lchown"])
        for name in found["operators"][:1]
    ]
    assert oci.output("echo fine", seccomp(*rules, *compare, architectures=archs)) == "fine\n"


@must("features-linux.md#seccomp", "MUST recognize and support the elements of supportedFlags")
def test_seccomp_flags(oci, features):
    flags = features["linux"]["seccomp"].get("supportedFlags")
    if not flags:
        pytest.skip("the document names no flags (it MAY)")
    usable = [flag for flag in flags if flag != "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
    assert oci.output("echo fine", seccomp(rule("SCMP_ACT_ERRNO"), flags=usable)) == "fine\n"


@must("features-linux.md#cgroup", "v1, v2: whether the runtime supports them; here it does what it says")
def test_cgroup(features):
    found = features["linux"]["cgroup"]
    assert found["v1"] is True or found["v2"] is True
    assert {type(value) for value in found.values()} == {bool}


KNOWN = {
    "ociVersionMin",
    "ociVersionMax",
    "hooks",
    "mountOptions",
    "linux",
    "annotations",
    "potentiallyUnsafeConfigAnnotations",
}


@must(
    "features.md#specification-version",
    "MUST NOT contain properties that are not defined in the specification",
)
def test_no_other_properties(features):
    assert set(features) <= KNOWN
    linux = {
        "namespaces",
        "capabilities",
        "cgroup",
        "seccomp",
        "apparmor",
        "selinux",
        "intelRdt",
        "mountExtensions",
    }
    assert set(features["linux"]) <= {*linux, "netDevices", "memoryPolicy"}


@must("features.md#annotations", "annotations MUST be a key-value map of strings")
def test_annotations(features):
    found = features.get("annotations") or {}
    assert all(isinstance(word, str) for pair in found.items() for word in pair)
    assert "ociVersionMin" in features
