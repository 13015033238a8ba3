"""`tare image build`: what the options do, and which of docker's are refused by name."""

import json
import re
import shutil
import subprocess

import pytest

from bench.cli.build import build
from bench.cli.build_options import LACKING
from runtime.errors import RuntimeFault
from runtime.image.platform import host_platform

pytestmark = pytest.mark.privileged
# docker buildx build's, as its reference lists them
BUILDX = """add-host allow annotation attest build-arg build-context builder cache-from cache-to call
cgroup-parent check debug file iidfile label load metadata-file network no-cache no-cache-filter output
platform policy progress provenance pull push quiet sbom secret shm-size ssh tag target ulimit"""


def test_labels_hosts_and_a_network_come_from_the_command_line(lab):
    run = "grep -c box.example /etc/hosts > /hosts; ls /sys/class/net > /net"
    given = ["--label", "b=line", "--label", "c=", "--add-host", "box.example:10.1.2.3", "--network", "none"]
    image = lab.built(f"FROM busybox\nLABEL a=file b=file\nRUN {run}\n", *given)
    assert image.config.labels == {"a": "file", "b": "line", "c": ""}
    root = lab.root(image)
    assert ((root / "hosts").read_text(), (root / "net").read_text()) == ("1\n", "lo\n")
    assert "box.example" not in (root / "etc/hosts").read_text()


def test_only_the_filtered_stages_are_made_anew(lab):
    stage = "FROM busybox AS {0}\nRUN date +%N > /{0}\n"
    text = stage.format("one") + stage.format("two") + "COPY --from=one /one /got\n"
    lab.built(text)
    said = lab.build(text, "--no-cache-filter", "one").stderr.splitlines()
    made = {line.partition(" ")[0] for line in said if " done in " in line}
    assert sorted(line.split(": ", 1)[1] for line in said if line.split()[0] in made and ": " in line) == [
        "COPY --from=one /one /got",  # what one made is another file
        "RUN date +%N > /one",
    ]
    assert len([line for line in said if line.endswith(" cached")]) == 1
    assert lab.build(text).stderr.count(" cached") == 3


def test_a_step_on_what_came_out_the_same_is_found_again(lab):
    text = "FROM busybox\nCOPY a /\nRUN cat /a > /b\n"
    lab.built(text, SOURCE_DATE_EPOCH="1000000000")
    said = lab.build(text.replace("COPY a", "COPY ./a"), SOURCE_DATE_EPOCH="1000000000").stderr
    assert said.count(" cached") == 2


def test_a_build_without_a_name_is_written_down(lab, tmp_path):
    files = ["--iidfile", str(tmp_path / "id"), "--metadata-file", str(tmp_path / "meta")]
    done = lab.build("FROM busybox\nCOPY a /unnamed\n", "--progress", "plain", *files)
    digest = done.stdout.strip()
    assert (tmp_path / "id").read_text() == digest
    assert json.loads((tmp_path / "meta").read_text())["containerimage.digest"] == digest
    assert digest not in {image.digest for _, image in lab.store.images()}
    image = lab.store.resolve(digest)
    assert (lab.root(image) / "unnamed").read_text() == "a"
    with pytest.raises(RuntimeFault, match="no image named"):
        lab.store.resolve(str(image.manifest.config.digest))
    assert lab.tare("image", "tag", digest, "named").returncode == 0
    assert lab.store.resolve("named").digest == digest
    lab.store.remove("named")
    assert lab.tare("image", "prune").returncode == 0
    with pytest.raises(RuntimeFault, match="no image named"):
        lab.store.resolve(digest)


def test_stages_names_arguments_and_the_platform(lab, tmp_path):
    text = "FROM busybox AS One\nARG who=nobody\nRUN echo $who > /one\nFROM busybox\nRUN false\n"
    host = host_platform()
    given = ["--target", "one", "-t", "a/b:c", "-t", "second", "--platform", f"{host.os}/{host.architecture}"]
    done = lab.build(text, *given, "--build-arg", "who=me")
    assert done.returncode == 0, done.stderr
    images = {lab.store.resolve(name).digest for name in ("a/b:c", "second")}
    assert images == {done.stdout.strip()}
    assert (lab.root(lab.store.resolve("second")) / "one").read_text() == "me\n"
    assert lab.built(text, "--target", "0", "--build-arg", "who", who="env").digest != done.stdout.strip()
    assert (lab.root(lab.store.resolve("made")) / "one").read_text() == "env\n"
    assert "no stage 'three'" in lab.build(text, "--target", "three").stderr


@pytest.mark.skipif(not shutil.which("docker"), reason="needs docker: apt-get install docker.io")
def test_each_option_of_docker_build_is_taken_or_refused_by_name(lab):
    """What docker's own help lists, and of buildx what newer ones have."""
    shown = subprocess.run(["docker", "build", "--help"], capture_output=True, text=True, check=True).stdout
    theirs = {
        *re.findall(r"(?m)^\s+(?:(?:-\w), )?(--[a-z-]+)", shown),
        *re.findall(r"(?m)^\s+(-\w), ", shown),
    }
    assert len(theirs) > 30
    theirs |= {f"--{name}" for name in BUILDX.split()} - {"--help"}
    ours = {name for option in build.params for name in option.opts}
    assert theirs - ours == theirs & LACKING.keys()
    assert not ours & LACKING.keys()
    for option in sorted(theirs - ours):
        done = lab.build("FROM busybox\n", option)
        assert (done.returncode, option in done.stderr) == (2, True), done.stderr
        assert "of docker build is not supported" in done.stderr


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--squash"], "--squash of docker build is not supported"),
        (["-m", "1g"], "-m of docker build is not supported"),
        (["--platform", "linux/s390x"], "--platform linux/s390x cannot be built here"),
        (["--add-host", "nobody"], "--add-host nobody: no name"),
        (["--add-host", "n:999"], "'999' does not appear to be an IPv4 or IPv6 address"),
        (["--nonsense"], "No such option '--nonsense'"),
    ],
)
def test_options_that_are_not_honoured_are_refused_by_name(lab, option, message):
    done = lab.build("FROM busybox\n", *option)
    assert done.returncode != 0
    assert message in done.stderr
