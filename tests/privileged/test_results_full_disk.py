import subprocess

import msgspec
import pytest

from bench.errors import BenchFault
from bench.results import Writer, load
from tests.fakes.sample_run import sample_run

pytestmark = pytest.mark.privileged


SIZES = (64, 100)
"""KiB: the file itself finds no room to be written again, or the journal beside it none to grow."""


@pytest.fixture(params=SIZES)
def small(tmp_path, request):
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param}k", "tare-test", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_file_system_keeps_what_was_written(small):
    run = sample_run()
    header = msgspec.structs.replace(run, measurements=(), finished=None)
    fault = pytest.raises(BenchFault, match="no space left to write")
    with fault as caught, Writer(small / "run.json", header) as writer:
        for written, measurement in enumerate(run.measurements):  # noqa: B007
            writer.record(measurement)
    assert caught.value.kind == "host"
    assert len(load(writer.path).measurements) == written > 0
    assert sorted(path.name for path in small.iterdir()) == ["run.json", "run.json.journal"]
