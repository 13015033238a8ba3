"""A docker-registry to start, and skopeo to talk to it and its process."""

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}}}
  delete: {{enabled: {delete}}}
http: {{addr: "127.0.0.1:{port}", {http}}}
{more}
"""


@dataclass(frozen=True)
class Registry:
    """A docker-registry that runs; `folder` is what it keeps."""

    host: str
    folder: Path
    process: subprocess.Popen[bytes]

    def url(self, path):
        return f"http://{self.host}/v2/{path}"


def launch(folder, more="", *, delete=True, http=""):
    """Start docker-registry with `more` lines of configuration; returns it and its process."""
    program = shutil.which("docker-registry")
    assert program, "apt-get install docker-registry"
    host = f"127.0.0.1:{free_port()}"
    config = folder / "config.yml"
    fields = {"more": more, "delete": str(delete).lower(), "http": http}
    config.write_text(CONFIG.format(storage=folder / "storage", port=host.rpartition(":")[2], **fields))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log, env=bare())
    wait_for(f"http://{host}/", process, folder / "log")
    return Registry(host, folder, process), process


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bare():
    """Return the environment without proxies."""
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


def wait_for(url, process, log):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            opener.open(url, timeout=5).close()
        except urllib.error.HTTPError as answer:  # it wants TLS
            answer.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())


def skopeo(*arguments):
    """Run skopeo without a policy file and return what it printed."""
    command = ["skopeo", "--insecure-policy", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
