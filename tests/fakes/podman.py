"""podman on tare-oci, with storage of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# podman raises both limits to what a host without CAP_SYS_RESOURCE does not give.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


class Podman:
    def __init__(self, place, runtime):
        # Its mounts and storage live in a mount namespace of each call, its state below `place`.
        self.base = [
            "podman", "--root", place / "root", "--runroot", place / "run", "--tmpdir", place / "tmp",
            "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs", "--events-backend", "none",
            "--runtime", runtime,
        ]  # fmt: skip
        self.output = place / "output"

    def __call__(self, *words, code=0):
        with self.output.open("w+") as output:
            done = subprocess.run(
                [*self.base, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
                timeout=60,
            )  # fmt: skip
            output.seek(0)
            text = output.read().replace("\r\n", "\n")
        assert done.returncode == code, text
        return text

    def run(self, *words, code=0):
        return self("run", *LIMITS, "--rm", "--network", "none", *words, code=code)


def at(place):
    """Return a podman whose state, and whose runtime, is below `place`."""
    runtime = place / "tare-oci"
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom runtime.oci.main import main\nsys.exit(main())"
    )
    runtime.write_text(f"#!{sys.executable} -IS\n{program}\n")
    runtime.chmod(0o755)
    return Podman(place, runtime)
