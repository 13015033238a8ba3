import base64
import hashlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from bench.cli import chart
from bench.cli.context import Context
from bench.cli.report import command
from bench.errors import BenchFault
from reports import html, images
from reports.charts.all import KINDS
from reports.model import View
from tests.fakes.sample_run import sample_run, startup_run

HOSTILE = '"><script>window.stolen = 1</script><img src=x onerror=alert(1)>%{x}'


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def view_of(run) -> View:
    return View(run, msgspec.json.encode(run))


def body(text: str) -> str:
    """Return the page without plotly.js, whose source holds all kinds of strings."""
    return text.replace(html.get_plotlyjs(), "")


def test_the_page_names_the_accelerator_wherever_it_names_a_vm():
    text = body(html.render([view_of(startup_run())]))
    for cell in re.findall(r"<td>(<span class=\"swatch\".*?)</td>", text):
        name = re.search(r"class=\"name\">([^<]+)<", cell).group(1)
        assert ("TCG, emulated" in cell) == name.startswith("vm")


def test_nothing_is_loaded_from_anywhere():
    elements = Elements(body(html.render([view_of(sample_run(1))]))).found
    for tag, attributes in elements:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:application/json;base64,")), (
                tag,
                name,
                value,
            )
    policy = next(a["content"] for _, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split("style-src")[0]


def test_the_policy_has_the_hash_of_every_script_that_runs():
    text = html.render([view_of(startup_run())])
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"sha256-{digest}" in text


def test_plotly_is_there_once_for_many_runs_and_anchors_differ():
    text = html.render([view_of(startup_run(1)), view_of(startup_run(2))])
    assert text.count(html.get_plotlyjs()) == 1
    anchors = [a["id"] for _, a in Elements(body(text)).found if "id" in a]
    assert len(anchors) == len(set(anchors)) > 8


def test_hostile_words_stay_words():
    run = sample_run(1)
    targets = tuple(
        msgspec.structs.replace(t, title=HOSTILE, reason=HOSTILE, version=HOSTILE) for t in run.targets
    )
    warnings = tuple(
        msgspec.structs.replace(w, code="other", text=HOSTILE, remedy=HOSTILE) for w in run.warnings
    )
    failures = tuple(msgspec.structs.replace(f, text=HOSTILE) for f in run.failures)
    measurements = tuple(msgspec.structs.replace(m, boundary=HOSTILE) for m in run.measurements)
    hostile = msgspec.structs.replace(
        run,
        targets=targets,
        warnings=warnings,
        failures=failures,
        measurements=measurements,
        command=(HOSTILE,),
    )
    elements = Elements(body(html.render([view_of(hostile)]))).found
    assert not any(tag == "img" or any(name.startswith("on") for name in a) for tag, a in elements)
    assert len([tag for tag, _ in elements if tag == "script"]) == len(
        [tag for tag, _ in Elements(body(html.render([view_of(run)]))).found if tag == "script"]
    )


def test_the_embedded_data_are_the_file_byte_for_byte():
    view = view_of(sample_run(4))
    text = html.render([view])
    data = re.search(r'href="data:application/json;base64,([^"]+)"', text).group(1)
    assert base64.b64decode(data) == view.raw
    assert hashlib.sha256(view.raw).hexdigest() in text


def test_an_empty_run_makes_a_page():
    empty = msgspec.structs.replace(startup_run(), measurements=(), warnings=(), targets=())
    assert "holds no number" in html.render([view_of(empty)])


def run_cli(tmp_path, *arguments, command=command):
    context = Context(data=tmp_path, run=tmp_path / "run")
    return CliRunner().invoke(command, [str(a) for a in arguments], obj=context)


def stored(tmp_path, run):
    folder = tmp_path / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{run.id}.json"
    path.write_bytes(msgspec.json.encode(run))
    return path


def test_report_finds_the_newest_run_and_says_where_the_page_is(tmp_path):
    path = stored(tmp_path, startup_run())
    result = run_cli(tmp_path)
    assert result.exit_code == 0
    assert result.output.strip() == str(path.with_suffix(".html"))
    assert path.with_suffix(".html").read_text().rstrip().endswith("</html>")


def test_a_report_replaces_no_pipe_and_makes_its_folder(tmp_path, capfd):
    stored(tmp_path, startup_run())
    os.mkfifo(tmp_path / "pipe")
    assert run_cli(tmp_path, "-o", tmp_path / "pipe").exit_code == 2
    assert "not a regular file" in capfd.readouterr().err
    assert (tmp_path / "pipe").is_fifo()
    assert run_cli(tmp_path, "-o", tmp_path / "new/deep/x.html").exit_code == 0
    assert (tmp_path / "new/deep/x.html").exists()


def test_a_chart_replaces_no_pipe(tmp_path, capfd):
    stored(tmp_path, startup_run())
    os.mkfifo(tmp_path / "pipe.html")
    assert run_chart(tmp_path, "startup-ready", "-o", tmp_path / "pipe.html").exit_code == 2
    assert "not a regular file" in capfd.readouterr().err
    assert (tmp_path / "pipe.html").is_fifo()


def test_a_report_follows_a_link(tmp_path):
    stored(tmp_path, startup_run())
    (tmp_path / "link.html").symlink_to("real.html")
    assert run_cli(tmp_path, "-o", tmp_path / "link.html").exit_code == 0
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").stat().st_size > 1000


def test_report_takes_an_id(tmp_path):
    run = startup_run()
    stored(tmp_path, run)
    assert run_cli(tmp_path, run.id, "-o", tmp_path / "x.html").exit_code == 0
    assert (tmp_path / "x.html").exists()


def run_chart(tmp_path, *arguments):
    return run_cli(tmp_path, *arguments, command=chart.command)


def test_chart_draws_the_newest_run_and_says_where_it_is(tmp_path):
    stored(tmp_path, startup_run())
    result = run_chart(tmp_path, "startup-ladder", "-o", tmp_path / "x.html")
    assert result.exit_code == 0
    assert result.output.strip() == str(tmp_path / "x.html")
    assert "Where the time of a start goes" in (tmp_path / "x.html").read_text()


def test_chart_takes_an_id_and_a_width(tmp_path):
    run = startup_run()
    stored(tmp_path, run)
    result = run_chart(tmp_path, "startup-ready", run.id, "-o", tmp_path / "x.html", "--width", 800)
    assert result.exit_code == 0
    assert run.id in (tmp_path / "x.html").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("pie", "x.html"), 2, ("no chart 'pie'", "startup-ready")),
        (("cpu", "x.html"), 2, ("no data for the chart 'cpu'", "startup")),
        (("startup-ready", "x.gif"), 2, ("no chart format '.gif'", ".svg")),
        (("startup-ready", "/proc/absent/x.html"), 3, ("cannot write", "check the path")),
    ],
)
def test_a_chart_that_cannot_be_is_one_line_and_a_hint(tmp_path, capfd, words, code, said):
    stored(tmp_path, startup_run())
    kind, name = words
    assert run_chart(tmp_path, kind, "-o", tmp_path / name).exit_code == code
    line, hint = capfd.readouterr().err.splitlines()
    assert said[0] in line
    assert hint.startswith("  hint: ")
    assert said[1] in hint
    assert not (tmp_path / name).exists()


def test_every_kind_of_chart_is_in_the_reference():
    words = (Path(html.__file__).parents[1] / "docs/reference/command-line.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in words] == []


def test_chart_without_any_run_has_a_hint(tmp_path):
    result = run_chart(tmp_path, "cpu", "-o", tmp_path / "x.html")
    assert isinstance(result.exception, BenchFault)
    assert result.exception.kind == "missing"


def test_report_without_any_run_has_a_hint(tmp_path):
    result = run_cli(tmp_path)
    assert isinstance(result.exception, BenchFault)
    assert result.exception.kind == "missing"


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [(b"{", 1, "not JSON"), (None, 2, "no result file"), (b"{}", 1, "no schema")],
)
def test_bad_files_end_in_one_line_and_a_hint(tmp_path, content, code, words):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-m", "reports", "html", path, "-o", tmp_path / "out.html"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert words in lines[0].replace("it names no schema", "no schema")
    assert lines[1].startswith("  hint: ")
    assert not (tmp_path / "out.html").exists()


def test_a_full_disk_is_the_hosts_fault_and_leaves_no_part(tmp_path):
    path = stored(tmp_path, startup_run())
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 100; trap "" XFSZ; exec "$@"', "sh",
         sys.executable, "-m", "reports", "html", path, "-o", tmp_path / "out.html"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_an_unknown_chart_and_an_unknown_format_are_usage_errors(tmp_path):
    view = view_of(startup_run())
    with pytest.raises(BenchFault, match="no chart 'pie'"):
        images.save(view, "pie", tmp_path / "x.png")
    with pytest.raises(BenchFault, match="no chart format"):
        images.save(view, "startup-ready", tmp_path / "x.gif")
    with pytest.raises(BenchFault, match="no data"):
        images.save(view, "cpu", tmp_path / "x.html")


def test_a_chart_alone_is_a_page_with_its_title(tmp_path):
    images.save(view_of(startup_run()), "startup-ready", tmp_path / "x.html")
    assert "Time from the request to the first correct reply" in (tmp_path / "x.html").read_text()
