"""The course's lab, as docs/how-to/weather.md has it: every `tare` line of it, and its page in Chromium.

To be run in a network namespace of its own (`unshare -n`): it publishes the how-to's own ports. Prints JSON.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.browser.pages import chromium
from tests.registry.server import launch

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/how-to/weather.md"
TARE = [sys.executable, "-c", "from bench.cli.main import main; main()"]
REGISTRY = "127.0.0.1:5000"
PAGE = "http://127.0.0.1:8080/"


def lines():
    """Return the guide's `tare` commands, in their order."""
    blocks = re.findall(r"^```\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    commands = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in commands if line.startswith("tare ")]


def tare(line, host):
    """Run one of them, against the registry at `host`; returns what it printed."""
    words = shlex.split(line.replace(REGISTRY, host).replace("$PWD", str(ROOT)))
    done = subprocess.run([*TARE, *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def look():
    """Return what a visitor sees: heading, links, rows of the table, and what the browser complains of."""
    with chromium() as browser:
        page, complaints = browser.new_page(), []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(PAGE)
        first = page.inner_text("h1")
        links = page.eval_on_selector_all("nav a", "all => all.map(a => a.textContent)")
        page.click("nav a >> nth=2")
        rows = page.eval_on_selector_all("tr", "all => all.map(r => r.innerText)")
        return {"first": first, "links": links, "then": page.inner_text("h1"), "rows": rows,
                "complaints": complaints}  # fmt: skip


def wait_for(url):
    """Wait until the service answers."""
    for _ in range(100):
        try:
            return urllib.request.urlopen(url, timeout=3).read().decode()
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} does not answer")


def main():
    """Follow the guide, and stop before each thing is given back to look at it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    todo, seen = lines(), {}
    with tempfile.TemporaryDirectory() as folder:
        registry, process = launch(Path(folder))
        try:
            for number, line in enumerate(todo):
                if line.startswith("tare container rm"):
                    wait_for(PAGE)
                    seen["page"] = look()
                    seen["json"] = json.loads(wait_for(f"{PAGE}?city=Hamburg&format=json"))
                    seen["other"] = wait_for("http://127.0.0.1:8081/")
                seen[f"{number} {line}"] = tare(line, registry.host)
        finally:
            subprocess.run(
                [*TARE, "container", "rm", "-f", "weather", "other"], check=False, capture_output=True
            )
            process.kill()
            process.wait()
    print(json.dumps(seen))  # noqa: T201


if __name__ == "__main__":
    os.environ["NO_PROXY"] = "127.0.0.1"
    main()
