"""The course's lab: build, push, pull, run, and the page in Chromium, by the how-to's own lines."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.browser import lab

pytestmark = [pytest.mark.privileged, pytest.mark.timeout(180)]
DATA = lab.ROOT / "examples/weather/forecast.csv"


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    root = tmp_path_factory.mktemp("lab")
    command = ["unshare", "-n", sys.executable, "-m", "tests.browser.lab"]
    environment = {**os.environ, "TARE_ROOT": str(root)}
    done = subprocess.run(
        command, cwd=lab.ROOT, env=environment, capture_output=True, text=True, check=False, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def printed(seen, words):
    return next(text for line, text in seen.items() if words in line).strip().splitlines()[-1]


def test_the_guide_has_the_whole_course(seen):
    verbs = [line.split()[1:3] for line in lab.lines()]
    wanted = [["image", "build"], ["image", "push"], ["image", "pull"], ["container", "run"]]
    assert [verb for verb in verbs if verb in wanted][:4] == wanted


def test_what_is_pulled_is_what_was_built(seen):
    digests = [printed(seen, words) for words in ("image build", "image push", "image pull")]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digests[0])
    assert digests == digests[:1] * 3


def test_a_visitor_sees_the_forecast_and_can_change_the_city(seen):
    page = seen["page"]
    assert page["first"] == "Hangzhou"
    assert page["links"] == ["Hangzhou", "Beijing", "Hamburg", "Nairobi"]
    assert page["then"] == "Hamburg"
    assert page["rows"][:2] == ["day\tsky\tlow\thigh\train", "today\tdrizzle\t5 °C\t9 °C\t60 %"]
    assert len(page["rows"]) == 6
    assert page["complaints"] == []


def test_a_program_gets_json_and_another_file_another_forecast(seen):
    data = [line.split(",") for line in DATA.read_text().splitlines()]
    assert seen["json"]["city"] == "Hamburg"
    assert len(seen["json"]["days"]) == 5
    assert seen["json"]["days"][1]["high"] == next(int(row[4]) for row in data if row[:2] == ["Hamburg", "1"])
    assert "<h1>Hangzhou</h1>" in seen["other"]
