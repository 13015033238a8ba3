"""config.json: versions, required properties, what is ignored and what is refused (config.md)."""

import pytest

from tests.conformance.must import must


def put(*path, value):
    """A change of the configuration: the value at `path`."""

    def change(config):
        for name in path[:-1]:
            config = config[name]
        config[path[-1]] = value

    return change


def drop(*path):
    """A change of the configuration: nothing at `path`."""

    def change(config):
        for name in path[:-1]:
            config = config[name]
        del config[path[-1]]

    return change


@must("bundle.md#container-format", "config.json MUST reside in the root of the bundle directory")
def test_a_bundle_without_configuration(oci):
    box = oci.box()
    assert oci("create", "--bundle", str(box.bundle.path), box.id).code != 0
    assert box.is_gone()
    box.create().must_work()


@must("config.md#valid-values", "a configuration that is no JSON, or no object, is an error")
@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_broken_configuration(oci, text):
    box = oci.box()
    (box.bundle.path / "config.json").write_text(text)
    assert oci("create", "--bundle", str(box.bundle.path), box.id).code != 0
    assert box.is_gone()
    box.create().must_work()


@must("glossary.md#json", "all configuration JSON MUST be encoded in UTF-8")
def test_a_configuration_that_is_not_utf_8(oci):
    box = oci.box()
    box.config["annotations"] = {"name": "value"}
    box.bundle.write()
    file = box.bundle.path / "config.json"
    file.write_bytes(file.read_bytes().replace(b"value", b"\xff"))
    assert oci("create", "--bundle", str(box.bundle.path), box.id).code != 0
    assert box.is_gone()
    box.create().must_work()


@must("config.md#specification-version", "ociVersion (REQUIRED) MUST be in SemVer format")
@pytest.mark.parametrize("version", ["", "one", "1.x"])
def test_an_invalid_version(oci, version):
    oci.refused(put("ociVersion", value=version))


@must("config.md#specification-version", "ociVersion is REQUIRED")
def test_no_version(oci):
    oci.refused(drop("ociVersion"))


@must(
    "config.md#specification-version",
    "backward compatibility within a major version: an older minor is taken",
)
def test_an_older_version(oci):
    assert oci.output("echo fine", put("ociVersion", value="1.0.0")) == "fine\n"


@must("config.md#extensibility", "MUST NOT generate an error for an unknown property, MUST ignore it")
@pytest.mark.parametrize(
    "place",
    [
        (), ("process",), ("root",), ("linux",), ("mounts", 0), ("process", "user"),
        ("linux", "namespaces", 0), ("linux", "resources"), ("linux", "resources", "memory"),
        ("linux", "resources", "devices", 0), ("linux", "seccomp"), ("hooks",), ("hooks", "poststop", 0),
    ],
)  # fmt: skip
def test_unknown_properties(oci, place):
    box = oci.box("echo fine")
    box.linux["resources"] = {"memory": {"limit": 64 << 20}, "devices": [{"allow": False, "access": "rwm"}]}
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW"}
    box.config["hooks"] = {"poststop": [{"path": "/bin/true"}]}
    put(*place, "x-unknown", value={"deep": [1]})(box.config)
    assert box.output() == "fine\n"


@must("config.md#annotations", "MUST NOT generate an error for an unknown annotation key")
def test_unknown_annotations(oci):
    assert oci.output("echo fine", put("annotations", value={"org.example.unknown": ""})) == "fine\n"


@must("config.md#annotations", "annotations MUST be a key-value map, values MUST be strings")
@pytest.mark.parametrize("value", [{"key": 1}, {"key": {}}, ["key"]])
def test_annotations_of_another_type(oci, value):
    oci.refused(put("annotations", value=value))


@must("config.md#valid-values", "invalid values MUST generate an error: a value of another type")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("hostname",), 5),
        (("process", "args"), "true"),
        (("process", "env"), {"PATH": "/bin"}),
        (("process", "user", "uid"), "root"),
        (("process", "user", "uid"), -1),
        (("root",), "rootfs"),
        (("mounts",), {}),
        (("linux", "namespaces"), ["pid"]),
    ],
)
def test_values_of_another_type(oci, path, value):
    oci.refused(put(*path, value=value))


@must("config.md#root", "root is REQUIRED, and so is its path")
@pytest.mark.parametrize("path", [("root",), ("root", "path")])
def test_no_root(oci, path):
    oci.refused(drop(*path))


@must("config.md#root", "a directory MUST exist at the path declared by the field")
@pytest.mark.parametrize("path", ["none", "config.json"])
def test_a_root_that_is_no_directory(oci, path):
    oci.refused(put("root", "path", value=path))


@must("config.md#root", "path is either an absolute path or a relative path to the bundle")
@pytest.mark.parametrize("absolute", [False, True])
def test_absolute_and_relative_root(oci, absolute):
    box = oci.box("cat /marker")
    (box.bundle.root / "marker").write_text("here\n")
    box.config["root"]["path"] = str(box.bundle.root) if absolute else "rootfs"
    assert box.output() == "here\n"


@must("config.md#root", "if readonly is true the root filesystem MUST be read-only inside the container")
def test_a_readonly_root(oci):
    script = "touch /new 2>&1; mkdir /tmp/new 2>&1; touch /dev/shm/fine && echo fine"
    text = oci.output(script, put("root", "readonly", value=True))
    assert text.count("Read-only file system") == 2
    assert text.endswith("fine\n")


@must("config.md#root", "readonly defaults to false")
def test_a_writable_root(oci):
    box = oci.box("echo text > /new && cat /new")
    assert box.output() == "text\n"
    assert (box.bundle.root / "new").read_text() == "text\n"


@must("config.md#process", "cwd is REQUIRED and MUST be an absolute path")
@pytest.mark.parametrize("cwd", ["tmp", ""])
def test_a_relative_working_directory(oci, cwd):
    oci.refused(put("process", "cwd", value=cwd))


@must("config.md#process", "args: at least one entry is REQUIRED")
@pytest.mark.parametrize("change", [put("process", "args", value=[]), drop("process", "args")])
def test_no_arguments(oci, change):
    oci.refused(change)


@must("config.md#hostname", "hostname is the hostname as seen by processes inside the container")
def test_the_hostname(oci):
    assert (
        oci.output("hostname; cat /proc/sys/kernel/hostname", put("hostname", value="inside"))
        == "inside\ninside\n"
    )


@must(
    "config.md#hostname", "without a UTS namespace of its own the host's name is not to be changed: an error"
)
def test_a_hostname_without_namespace(oci):
    def without(config):
        config["linux"]["namespaces"] = [{"type": name} for name in ("pid", "ipc", "mount", "network")]

    oci.refused(put("hostname", value="inside"), base=without)


@must("config.md#domainname", "domainname is the domain name as seen by processes inside the container")
def test_the_domainname(oci):
    script = "cat /proc/sys/kernel/domainname"
    assert oci.output(script, put("domainname", value="example.org")) == "example.org\n"
