"""An image's packages, and what a list of advisories says of them."""

import json
import shutil
import subprocess

import pytest

from runtime.errors import RuntimeFault
from runtime.image.bootstrap import bootstrap
from runtime.image.commit import derive
from runtime.image.layer.entry import File
from runtime.image.store import Store
from runtime.scan import Advisories, Package, inventory
from runtime.scan.packages import parse

STATUS = """Package: libc6
Status: install ok installed
Version: 2.36-9+deb12u1
Source: glibc
Description: library
 of C

Package: gone
Status: deinstall ok config-files
Version: 1

Package: libstdc++6
Status: install ok installed
Version: 12.2.0-14
Source: gcc-12 (12.2.0-13)

Package: bash
Status: install ok installed
Version: 5.2.15-2+b2
"""
RELEASE = "ID=debian\nVERSION_CODENAME=bookworm\n"


def layer(root, **files):
    for name, text in files.items():
        path = root / {"status": "var/lib/dpkg/status", "release": "usr/lib/os-release"}.get(name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def listed(tmp_path, **releases):
    """Return advisories on glibc: by release the status, and the version that mends it."""
    said = {
        name: dict(zip(("status", "fixed_version"), values, strict=False))
        for name, values in releases.items()
    }
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"glibc": {"CVE-1": {"description": "d", "releases": said}}}))
    return Advisories.read(file)


def test_installed_packages_have_their_sources_and_their_versions():
    assert list(parse(STATUS)) == [
        Package("libc6", "2.36-9+deb12u1", "glibc", "2.36-9+deb12u1"),
        Package("libstdc++6", "12.2.0-14", "gcc-12", "12.2.0-13"),
        Package("bash", "5.2.15-2+b2", "bash", "5.2.15-2+b2"),
    ]


def test_the_topmost_layer_has_the_word(tmp_path):
    below = layer(tmp_path / "0", status=STATUS, release=RELEASE)
    above = layer(tmp_path / "1", status="Package: only\nVersion: 1\n")
    found = inventory([below, above])
    assert (found.release, [one.name for one in found.packages]) == ("bookworm", ["only"])


def test_an_image_without_a_package_manager_has_a_file_for_each(tmp_path):
    for name, text in {"base": "Package: base-files\nVersion: 12\n", "base.md5sums": "x"}.items():
        layer(tmp_path / "0", **{f"var/lib/dpkg/status.d/{name}": text})
    assert [one.name for one in inventory([tmp_path / "0"]).packages] == ["base-files"]


@pytest.mark.parametrize("where", ["var/lib/dpkg/status", "var/lib/dpkg"])
def test_no_link_leads_out_of_the_image(tmp_path, where):
    host = layer(tmp_path / "host", status=STATUS)
    link = tmp_path / "image" / where
    link.parent.mkdir(parents=True)
    link.symlink_to(host / where)
    with pytest.raises(RuntimeFault, match="no list of Debian packages") as caught:
        inventory([tmp_path / "image"])
    assert caught.value.kind == "missing"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (("open",), [""]),
        (("resolved", "2.36-9+deb12u3"), ["2.36-9+deb12u3"]),
        (("resolved", "2.36-9+deb12u1"), []),
        (("resolved", "2.36-9~"), []),
        (("resolved", "1:1.0"), ["1:1.0"]),
        (("resolved", "0"), []),
        (("undetermined",), []),
    ],
)
def test_a_version_is_weak_until_it_is_mended(tmp_path, said, found):
    image = inventory([layer(tmp_path / "0", status=STATUS, release=RELEASE)])
    assert [one.fixed for one in listed(tmp_path, bookworm=said).match(image)] == found


@pytest.mark.skipif(not shutil.which("dpkg"), reason="needs dpkg")
@pytest.mark.parametrize("fixed", ["2.36-9+deb12u10", "2.36-9+deb12u1~", "2.36-9+deb12", "2.4-1", "2.36.1-1"])
def test_versions_are_compared_as_dpkg_does(tmp_path, fixed):
    image = inventory([layer(tmp_path / "0", status=STATUS, release=RELEASE)])
    older = subprocess.run(["dpkg", "--compare-versions", "2.36-9+deb12u1", "lt", fixed], check=False)
    found = listed(tmp_path, bookworm=("resolved", fixed)).match(image)
    assert bool(found) == (older.returncode == 0)


def test_another_release_is_no_clean_bill(tmp_path):
    image = inventory([layer(tmp_path / "0", status=STATUS, release=RELEASE)])
    with pytest.raises(RuntimeFault, match="nothing of the image's release bookworm") as caught:
        listed(tmp_path, trixie=("open",)).match(image)
    assert "trixie" in caught.value.hint


@pytest.mark.parametrize("text", ["[]", "{", '{"a": {"b": {"releases": {"x": {}}}}}', b"\xff"])
def test_what_is_no_list_is_refused(tmp_path, text):
    file = tmp_path / "list"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RuntimeFault, match="no list of advisories"):
        Advisories.read(file)


@pytest.fixture
def scan(tmp_path, capsys, monkeypatch):
    """Scan an image with these packages by the command line."""
    from bench.cli import main as cli  # noqa: PLC0415 - the rest needs no command line

    store = Store(tmp_path / "images")
    files = {"/var/lib/dpkg/status": File(STATUS.encode()), "/etc/os-release": File(RELEASE.encode())}
    derive(store, bootstrap(store, "busybox"), files, "packages:1")
    listed(tmp_path, bookworm=("resolved", "2.36-9+deb12u3"))

    def call(*options):
        words = ("image", "scan", "packages:1", "--advisories", str(tmp_path / "list.json"), *options)
        monkeypatch.setattr("sys.argv", ["tare", "--root", str(tmp_path), *words])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code, *capsys.readouterr()

    return call


def test_the_command_line_shows_what_is_found(scan):
    code, out, err = scan()
    assert code == 0
    assert out.splitlines()[1].split() == ["libc6", "2.36-9+deb12u1", "CVE-1", "2.36-9+deb12u3"]
    assert err == "1 weaknesses in 3 packages of bookworm\n"
    code, out, _ = scan("--format", "json", "--strict")
    assert code == 1
    assert json.loads(out)[0]["package"]["source"] == "glibc"
