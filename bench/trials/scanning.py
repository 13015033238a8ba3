"""Scanning: an image's packages against a list of advisories, where it is known what has to be found.

The image notes down packages as Debian's does: one older than the version that mends it, one that is mended,
one that never was affected, and one that nothing mends yet. The list is an excerpt of Debian's.
"""

from pathlib import Path

from bench.targets.drivers import Drivers
from bench.trials.registry_server import Server
from bench.value import Value, fact
from runtime.container.scratch import scratch
from runtime.image import Reference
from runtime.image.commit import derive
from runtime.image.image import Image
from runtime.image.layer.entry import File
from runtime.image.store import Store
from runtime.registry import pull, push
from runtime.scan import Advisories, inventory

LIST = Path(__file__).with_name("advisories.json")
PACKAGES = (
    ("libc6", "2.36-9+deb12u1", "glibc"),
    ("curl", "7.88.1-10+deb12u4", "curl"),
    ("liblzma5", "5.4.1-0.2", "xz-utils"),
    ("zlib1g", "1:1.2.13.dfsg-1", "zlib"),
)
WEAK = {("libc6", "CVE-2023-4911"), ("zlib1g", "CVE-2023-45853")}
STANZA = "Package: {}\nStatus: install ok installed\nVersion: {}\nSource: {}\n"
FILES = {
    "/usr/lib/os-release": File(b"ID=debian\nVERSION_CODENAME=bookworm\n"),
    "/var/lib/dpkg/status": File("\n".join(STANZA.format(*package) for package in PACKAGES).encode()),
}


def measure(drivers: Drivers, source: Store, base: Image, server: Server) -> Value:
    """Pull the image from the registry and scan it; whether exactly what is weak was found."""
    image = derive(source, base, FILES, "trial/packages:1")
    reference = Reference.parse(f"{server.host}/course/packages:1")
    push(source, str(image.digest), reference)
    with scratch(drivers.data) as place:
        host = Store(place / "images")
        pull(host, reference, unpack=True)
        installed = inventory(host.layer_paths(host.resolve(reference)))
    found = {(one.package.name, one.weakness) for one in Advisories.read(LIST).match(installed)}
    return fact("works", holds=found == WEAK and len(installed.packages) == len(PACKAGES), step="scan")
