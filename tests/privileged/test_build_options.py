"""`tare image build`: what the options do, and which of docker's are refused by name."""

import json

import pytest

from runtime.errors import RuntimeFault

pytestmark = pytest.mark.privileged


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
