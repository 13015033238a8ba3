"""The target that docs/how-to/targets.md adds, word for word: listed, measured, and gone."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from bench.results import load
from bench.targets.installed import STANDARD, names
from tests.conftest import residue

pytestmark = [pytest.mark.privileged, pytest.mark.timeout(180)]
GUIDE = Path(__file__).parents[2] / "docs/how-to/targets.md"


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return found


@pytest.fixture
def installed(tmp_path):
    """The example's package as an installer leaves it, on a path of its own."""
    project = tomllib.loads(block("toml"))["project"]
    (tmp_path / "box_unshare.py").write_text(block("python"))
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    info.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_the_guides_target_is_found_and_measured(installed, tare, tmp_path):
    env = {"PYTHONPATH": str(installed)}
    rows = json.loads(tare("list", "targets", "--format", "json", env=env).stdout)
    (row,) = [row for row in rows if row["name"] == "unshare"]
    assert row["available"], row["reason"]
    before, file = residue(), tmp_path / "r.json"
    done = tare("run", "startup", "memory", "-t", "native,unshare", "-r", "1", "--json", file, "-q", env=env)
    assert done.returncode == 0, done.stderr
    run = load(file)
    ready = [m for m in run.measurements if (m.target, m.metric) == ("unshare", "ready")]
    assert all(sample.value > 0 for m in ready for sample in m.samples)
    assert ready
    roles = {m.params["role"] for m in run.measurements if (m.target, m.metric) == ("unshare", "pss_of")}
    assert roles == {"unshare", "workload"}
    assert residue() - before == set()


def test_a_package_that_is_broken_breaks_only_itself(installed, tare):
    (installed / "box_unshare.py").write_text("import no_such_module\n")
    done = tare("list", "targets", "--format", "json", env={"PYTHONPATH": str(installed)})
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert not rows["unshare"]["available"]
    assert "ModuleNotFoundError: No module named 'no_such_module'" in rows["unshare"]["reason"]
    assert rows["native"]["available"]


def test_the_readme_has_every_target_in_its_table_and_the_guide_the_others():
    readme = GUIDE.parents[2].joinpath("README.md").read_text()
    for text, wanted in ((readme, names()), (GUIDE.read_text(), set(names()) - set(STANDARD))):
        rows = "".join(
            line.partition("|")[2].partition("|")[0] for line in text.splitlines() if line[:1] == "|"
        )
        assert [name for name in wanted if f"`{name}`" not in rows] == []
