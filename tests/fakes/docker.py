"""A dockerd of the tests' own, which also knows tare-oci."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Docker:
    """A daemon in a mount namespace of its own, with all its state below `place`."""

    def __init__(self, place):
        self.place, self.socket = place, f"unix://{place}/s"
        runtime = place / "tare-oci"
        start = f"sys.path.insert(0, {str(ROOT)!r})"
        program = f"import sys; {start}\nfrom runtime.oci.main import main\nsys.exit(main())\n"
        runtime.write_text(f"#!{sys.executable} -IS\n{program}")
        runtime.chmod(0o755)
        with (place / "log").open("w") as log:
            self.daemon = subprocess.Popen(
                ["unshare", "-m", "dockerd", "--add-runtime", f"tare={runtime}", "--bridge=none",
                 "--iptables=false", "--exec-opt", "native.cgroupdriver=cgroupfs",
                 "--data-root", place / "data", "--exec-root", place / "exec",
                 "-H", self.socket, "-p", place / "pid", "--storage-driver", "vfs"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def await_ready(self):
        deadline = time.monotonic() + 30
        while subprocess.run(
            ["docker", "-H", self.socket, "version"], capture_output=True, check=False
        ).returncode:
            assert self.daemon.poll() is None, (self.place / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "dockerd does not answer"
            time.sleep(0.2)

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(30)

    def __call__(self, *words, code=0):
        done = subprocess.run(
            ["docker", "-H", self.socket, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout.replace("\r\n", "\n")

    def run(self, *words, code=0):
        return self("run", "--runtime", "tare", "--rm", "--network", "none", *words, code=code)
