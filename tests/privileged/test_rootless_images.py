"""An ordinary user's images: unpacked with their owners, stacked by the kernel's overlay, run."""

import json
import os

import pytest

from runtime.oci.verbs.spec import specification
from tests.fakes.ordinary_user import FIRST, UID
from tests.privileged.test_rootless_oci import user_with

pytestmark = pytest.mark.privileged
STORED = """
import os
from pathlib import Path
from runtime import rootless
from runtime.image import Store, bootstrap, derive, File, Directory
from runtime.linux import mounts
place = Path(sys.argv[1])
ids = rootless.plan()
rootless.enter(ids)
store = Store(place / "images")
base = bootstrap(store, "busybox")
def stack(layers):
    places = [place / name for name in ("upper", "work", "root")]
    for path in places:
        path.mkdir()
    mounts.overlay(list(layers), *map(str, places))
"""
STACKED = (
    STORED
    + """
files = {"srv/web": File(b"of 33", uid=33, gid=33), "srv/mine": Directory(uid=0, gid=0, mode=0o777)}
image = derive(store, base, files, "stacked:1")
stack(map(str, store.layer_paths(image)))
"""
)


@pytest.fixture(scope="module", params=["ranges", "one id"])
def user(request):
    for made in user_with(ranges=request.param == "ranges"):
        made.packages("msgspec", "isal", "backports.zstd")
        made.single = request.param == "one id"
        yield made


@pytest.fixture
def place(user, tmp_path):
    path = user.place / tmp_path.name
    path.mkdir()
    os.chown(path, UID, UID)
    return path


def test_layers_keep_their_owners(user, place):
    script = STACKED + 'print(os.lstat(place / "root/srv/web").st_uid, (place / "root/srv/web").read_text())'
    assert user.run(user.python(script, place)).split() == (["0"] if user.single else ["33"]) + ["of", "33"]
    (web,) = (place / "images" / ("layers-own" if user.single else "layers-mapped")).glob("*/srv/web")
    assert web.stat().st_uid == (UID if user.single else FIRST + 32)


def test_the_overlay_is_the_kernels_own(user, place):
    """Writes go to the upper directory, with whiteouts and opaque directories that a user can make."""
    script = (
        STACKED
        + """
root = place / "root"
(root / "srv/web").unlink()
(root / "etc/passwd").write_text("changed")
import shutil
shutil.rmtree(root / "var"); (root / "var").mkdir()
print([line.split(" - ")[1].split()[0] for line in open("/proc/self/mountinfo") if str(root) in line])
print(sorted(os.listxattr(place / "upper/var")), list((root / "var").iterdir()))
"""
    )
    text = user.run(user.python(script, place)).splitlines()
    assert text == ["['overlay']", "['user.overlay.opaque'] []"]
    assert os.major((place / "upper/srv/web").stat().st_rdev) == 0
    assert (place / "upper/etc/passwd").stat().st_uid == UID
    assert (place / "upper/etc/passwd").read_text() == "changed"


def test_whiteouts_of_layers_hide(user, place):
    script = (
        STORED
        + """
import io, tarfile
from runtime.image.layer.unpack import unpack
def layer(name, members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path, kind in members:
            member = tarfile.TarInfo(path)
            member.type, member.mode = kind, 0o755
            member.devmajor, member.devminor = 1, 3
            tar.addfile(member)
    data.seek(0)
    (place / name).mkdir()
    unpack(data, place / name)
    return str(place / name)
low = layer("low", [("d", b"5"), ("d/a", b"0"), ("f", b"0"), ("null", b"3"), ("pipe", b"6")])
high = layer("high", [("d", b"5"), ("d/.wh..wh..opq", b"0"), ("d/b", b"0"), (".wh.f", b"0")])
stack([low, high])
print(sorted(os.listdir(place / "root")), os.listdir(place / "root/d"))
"""
    )
    assert user.run(user.python(script, place)).strip() == "['d', 'pipe'] ['b']"


def test_a_container_in_it(user, place):
    """tare-oci as root of the namespace: no limits, borrowed devices, and the owners that the ids allow."""
    config = specification()
    config["process"].update(
        terminal=False, args=["sh", "-c", "id -u; ls -n /srv; echo x > /srv/mine/x; id -G"]
    )
    config["root"]["readonly"] = False
    config["process"]["user"] = {"uid": 0, "gid": 0} if user.single else {"uid": 33, "gid": 33}
    del config["linux"]["resources"]
    config["mounts"] = [mount for mount in config["mounts"] if mount["type"] != "cgroup"]
    if user.single:
        config["mounts"][2]["options"].remove("gid=5")
    config["root"]["path"] = str(place / "root")
    (place / "config.json").write_text(json.dumps(config))
    script = (
        STACKED
        + """
from runtime.oci.main import main
sys.exit(main(["--root", str(place / "run"), "run", "--bundle", str(place), "box"]))
"""
    )
    text = user.run(user.python(script, place))
    inside = 0 if user.single else 33
    assert text.split()[0] == str(inside), text
    assert (place / "upper/srv/mine/x").stat().st_uid == (UID if user.single else FIRST + inside - 1)


def test_a_foreign_owner_is_refused_by_name(user, place):
    script = (
        STORED
        + """
from runtime.errors import RuntimeFault
from runtime.image import derive, File
image = derive(store, base, {"far": File(b"", uid=70000, gid=0)}, "far:1")
try:
    store.layer_paths(image)
except RuntimeFault as err:
    print(err)
"""
    )
    text = user.run(user.python(script, place)).strip()
    assert text == ("" if user.single else "a layer gives 'far' to 70000:0, which is not mapped here")
